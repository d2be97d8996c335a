import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { useCell } from "./cell";
import { count } from "./format";
import { useModel } from "./model";
import { Pick, Toggle } from "./parts";
import { speeds } from "./replay";

// ReplayBar moves a replay; it is not there in a run.
export function ReplayBar(): JSX.Element | null {
  const model = useModel();
  const replay = useCell(model.replay.state);
  const frame = useCell(model.status);
  const [dragged, setDragged] = useState<number | null>(null);
  if (!replay) return null;
  const may = frame?.rights.control ?? false;
  const post = (change: Parameters<typeof model.replay.post>[0]): void => void model.attempt(model.replay.post(change));
  const at = dragged ?? replay.position;
  return (
    <section class="panel replay" aria-label="replay">
      <b class="file" title={replay.file}>{replay.file}</b>
      <span class="group" role="group" aria-label="steps">
        <button type="button" disabled={!may} onClick={() => post({ step: -1 })} aria-label="step back">
          ◀
        </button>
        <button type="button" class="pause" disabled={!may} aria-pressed={replay.paused} onClick={() => post({ paused: !replay.paused })}>
          {replay.paused ? "play" : "pause"}
        </button>
        <button type="button" disabled={!may} onClick={() => post({ step: 1 })} aria-label="step forward">
          ▶
        </button>
      </span>
      <input class="position" type="range" min={0} max={Math.max(replay.events - 1, 0)} value={Math.max(at, 0)} disabled={!may} aria-label="position" aria-valuetext={`event ${at} of ${replay.events}`}
        onInput={(e) => setDragged(e.currentTarget.valueAsNumber)}
        onChange={(e) => {
          post({ position: e.currentTarget.valueAsNumber });
          setDragged(null);
        }} />
      <span class="num where" title="as they lie in the files: the run and its log counted all that came">
        event {count(Math.max(at, 0))} of 0 to {count(Math.max(replay.events - 1, 0))} in the files
      </span>
      {replay.why && <span class="refused">{replay.why}</span>}
      {may ? (
        <>
          <Pick label="speed" all={speeds.includes(replay.speed) ? speeds : [replay.speed, ...speeds]} value={replay.speed} set={(speed) => post({ speed })} text={(speed) => (speed === 0 ? "as fast as can be" : `× ${speed}`)} />
          <Toggle on={replay.loop} set={(loop) => post({ loop })}>
            loop
          </Toggle>
        </>
      ) : (
        <span class="dim">× {replay.speed}; only the address for steering can move the replay</span>
      )}
    </section>
  );
}
