import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { useCell } from "./cell";
import { colourMaps, colours } from "./colours";
import { value as number } from "./format";
import { useModel } from "./model";
import { rateSteps as rates } from "./pace";
import { Choice, Pick, Toggle } from "./parts";
import { automatic, type Limits, transfers } from "./scale";

export function Toolbar(): JSX.Element {
  const model = useModel();
  const { look: lookCell, layers: layersCell, stream: streamCell } = model.preferences;
  const [look, layers, stream] = [useCell(lookCell), useCell(layersCell), useCell(streamCell)];
  const paused = useCell(model.paused);
  const replay = useCell(model.replay.state); // one that may be steered has buttons of its own for this
  const control = useCell(model.status)?.rights.control;
  return (
    <div class="toolbar" role="toolbar" aria-label="picture">
      {!(replay && control) && <Steps paused={paused} />}
      <Choice label="picture" all={["event", "sum", "max"] as const} value={stream.image} set={(image) => model.choose(image)} />
      <Toggle on={stream.hits} set={(hits) => streamCell.set({ ...stream, hits })} title="show hits only">
        hits only
      </Toggle>
      <span class="group" role="group" aria-label="layers">
        {(["peaks", "rings", "mask"] as const).map((name) => (
          <Toggle key={name} on={layers[name]} set={(on) => layersCell.set({ ...layers, [name]: on })}>
            {name}
          </Toggle>
        ))}
      </span>
      <Pick label="scale" all={transfers} value={look.transfer} set={(transfer) => lookCell.set({ ...look, transfer })} />
      <Pick label="colours" all={colourMaps} value={look.map} set={(map) => lookCell.set({ ...look, map })} />
      <Toggle on={look.inverted} set={(inverted) => lookCell.set({ ...look, inverted })} title="invert the colours (I)">
        invert
      </Toggle>
      <span class="group" role="group" aria-label="zoom">
        <button type="button" onClick={() => model.viewer?.zoom(0.8)} aria-label="zoom out">
          −
        </button>
        <button type="button" onClick={() => model.viewer?.all()} title="all of the picture (0)">
          fit
        </button>
        <button type="button" onClick={() => model.viewer?.exact()} title="one pixel on one of the screen (1)">
          1:1
        </button>
        <button type="button" onClick={() => model.viewer?.zoom(1.25)} aria-label="zoom in">
          +
        </button>
      </span>
      <Pick label="bin" all={[0, 1, 2, 4, 8]} value={stream.bin} set={(bin) => streamCell.set({ ...stream, bin })} text={(bin) => (bin === 0 ? "auto" : String(bin))} />
      <span class="field">
        <label for="rate">at most</label>
        <input id="rate" type="range" min={0} max={rates.length - 1} value={Math.max(rates.indexOf(stream.rate), 0)} aria-valuetext={`${stream.rate} pictures per second`}
          onChange={(e) => streamCell.set({ ...stream, rate: rates[Number(e.currentTarget.value)]! })} />
        <span class="num rate">{stream.rate}/s</span>
      </span>
    </div>
  );
}

function Steps({ paused }: { paused: boolean }): JSX.Element {
  const model = useModel();
  return (
    <span class="group" role="group" aria-label="events">
      <button type="button" onClick={() => model.step(-1)} aria-label="the event before" title="the event before (←)">
        ◀
      </button>
      <button type="button" class="pause" aria-pressed={paused} onClick={() => (paused ? model.resume() : model.pause())} title="pause (Space)">
        {paused ? "resume" : "pause"}
      </button>
      <button type="button" onClick={() => model.step(1)} aria-label="the next event" title="the next event (→)">
        ▶
      </button>
    </span>
  );
}

// ColourBar shows what the colours mean, and takes limits by hand.
export function ColourBar(): JSX.Element {
  const model = useModel();
  const look = useCell(model.preferences.look);
  const image = useCell(model.image);
  const strip = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const ctx = strip.current?.getContext("2d");
    if (!ctx) return;
    const table = colours(look.map, look.inverted);
    const line = ctx.createImageData(256, 1);
    for (let i = 0; i < 256; i++) line.data.set([table[3 * i]!, table[3 * i + 1]!, table[3 * i + 2]!, 255], 4 * i);
    ctx.putImageData(line, 0, 0);
  }, [look.map, look.inverted]);
  const limits = look.limits ?? (image ? automatic(image.head) : { low: 0, high: 1 });
  const set = (changed: Limits | null): void => model.preferences.look.set({ ...look, limits: changed });
  return (
    <span class="colourbar">
      <Limit label="lower limit" value={limits.low} set={(low) => low < limits.high && set({ ...limits, low })} />
      <canvas ref={strip} width={256} height={1} role="img" aria-label={`${look.map}, ${look.transfer}`} />
      <Limit label="upper limit" value={limits.high} set={(high) => high > limits.low && set({ ...limits, high })} />
      <span class="num unit">{image?.head.unit ?? ""}</span>
      <Toggle on={look.limits === null} set={(auto) => set(auto ? null : limits)} title="limits that leave out 1 % of the pixels below and 0.1 % above">
        auto
      </Toggle>
    </span>
  );
}

// Limit is a number that can be typed over. What is typed is not overwritten by the limits of the next picture.
function Limit(props: { label: string; value: number; set: (value: number) => void }): JSX.Element {
  const [typed, setTyped] = useState<string | null>(null);
  const done = (): void => {
    if (typed !== null && typed.trim() !== "" && Number.isFinite(Number(typed))) props.set(Number(typed));
    setTyped(null);
  };
  return (
    <input class="limit num" aria-label={props.label} inputMode="decimal" value={typed ?? number(props.value)} onInput={(e) => setTyped(e.currentTarget.value)} onBlur={done}
      onKeyDown={(e) => {
        if (e.key === "Enter") done();
        if (e.key === "Escape") setTyped(null);
      }} />
  );
}
