import type { CanvasHTMLAttributes, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { getJSON } from "./api";
import { useCell } from "./cell";
import { clock, count, value as number } from "./format";
import { ImageView, type Under } from "./imageview";
import { useModel } from "./model";
import { Badge } from "./parts";
import type { ImageHead, PixelAnswer } from "./protocol";
import { ColourBar, Toolbar } from "./toolbar";
import type { Point } from "./view";

const rest = 200; // ms that a cursor lies still before the server is asked

export function Picture(): JSX.Element {
  const model = useModel();
  const canvas = useRef<HTMLCanvasElement>(null);
  const above = useRef<HTMLCanvasElement>(null);
  const view = useRef<ImageView | null>(null);
  const [trouble, setTrouble] = useState("");
  const [under, setUnder] = useState<Under | null>(null);
  const image = useCell(model.image);
  const at = useRef<Point | undefined>(undefined);
  const dragged = useRef<Point | null>(null); // which lasts while pictures come

  useEffect(() => {
    view.current = model.viewer = new ImageView(model, canvas.current!, above.current!, setTrouble);
    return () => view.current?.close();
  }, [model]);
  const look = (): void => setUnder(view.current?.under(at.current) ?? null);
  useEffect(look, [image]);

  return (
    <section class="panel picture" aria-label="picture">
      <Caption head={image?.head ?? null} />
      <Toolbar />
      <div class="stage">
        <canvas
          ref={canvas}
          tabIndex={0}
          role="img"
          aria-label={image ? `${image.head.kind} ${image.head.number}, ${image.head.npeaks} peaks` : "no picture yet"}
          {...pointing(view, dragged, (p) => {
            at.current = p;
            look();
          })}
        />
        <canvas ref={above} class="above" aria-hidden="true" />
        {(trouble || !image) && <p class="empty">{trouble || "no picture has come yet"}</p>}
      </div>
      <div class="underline">
        <Readout under={under} head={image?.head ?? null} />
        <ColourBar />
      </div>
    </section>
  );
}

// pointing gives the handlers of wheel and pointers: drag moves, wheel zooms, a double click shows all.
function pointing(view: { current: ImageView | null }, dragged: { current: Point | null }, hover: (at: Point | undefined) => void): CanvasHTMLAttributes<HTMLCanvasElement> {
  return {
    onPointerDown: (e) => {
      dragged.current = { x: e.clientX, y: e.clientY };
      e.currentTarget.setPointerCapture(e.pointerId);
    },
    onPointerMove: (e) => {
      if (e.buttons & 1 && dragged.current) {
        view.current?.move(dragged.current.x - e.clientX, dragged.current.y - e.clientY);
        dragged.current = { x: e.clientX, y: e.clientY };
      }
      hover({ x: e.offsetX, y: e.offsetY });
    },
    onPointerLeave: () => hover(undefined),
    onWheel: (e) => {
      e.preventDefault();
      view.current?.zoom(Math.exp(-e.deltaY * (e.deltaMode === 1 ? 0.05 : 0.0015)), { x: e.offsetX, y: e.offsetY });
    },
    onDblClick: () => view.current?.all(),
  };
}

function Caption({ head }: { head: ImageHead | null }): JSX.Element {
  const names = { event: "Event", sum: "Sum", max: "Maximum" };
  return (
    <header>
      <h2>{head ? names[head.kind] : "Picture"}</h2>
      {head && (
        <div class="note caption">
          <b class="num">{count(head.number)}</b>
          <span title="pulse ID">{head.pulse}</span>
          <span title={clock(head.timestamp, 3)}>{clock(head.timestamp)}</span>
          {head.kind !== "event" && <span>of {count(head.events)} events</span>}
          {head.kind === "event" && (
            <>
              {head.hit !== null && <span>{count(head.npeaks)} peaks</span>}
              {head.hit !== null && <Badge kind={head.hit ? "good" : "plain"}>{head.hit ? "hit" : "no hit"}</Badge>}
              {(head.flags ?? []).filter((flag) => flag !== "hit").map((flag) => (
                <Badge key={flag} kind={flag === "damaged" ? "bad" : "warn"}>
                  {flag}
                </Badge>
              ))}
            </>
          )}
          <span class="dim">
            {head.corrected || head.unit === "" ? "" : "raw, "}
            {head.bin > 1 ? `mean of ${head.bin} × ${head.bin}` : "every pixel"}
          </span>
          {head.kind === "event" && head.reason && <span class="dim">trigger: {head.reason}</span>}
        </div>
      )}
    </header>
  );
}

// Readout says what lies under the cursor, from the picture; and exactly, from the server, when the cursor rests.
function Readout({ under, head }: { under: Under | null; head: ImageHead | null }): JSX.Element {
  const [exact, setExact] = useState<PixelAnswer | null>(null);
  const [x, y, event] = [under?.x, under?.y, head?.kind === "event" ? head.number : undefined];
  useEffect(() => {
    setExact(null);
    if (x === undefined || event === undefined) return undefined;
    let wanted = true;
    const timer = setTimeout(() => {
      getJSON<PixelAnswer>(`v1/page/pixel?number=${event}&row=${y}&col=${x}`).then(
        (answer) => wanted && setExact(answer),
        () => undefined, // the event has gone: the picture's value stands
      );
    }, rest);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [x, y, event]);
  if (!under || !head) return <output class="readout dim">no pixel under the cursor</output>;
  const r = head.centre ? Math.hypot(under.x - head.centre[0], under.y - head.centre[1]) : null;
  return (
    <output class="readout">
      <span class="num">
        x {under.x} y {under.y}
      </span>
      <b class="num">
        {exact ? (exact.masked ? "masked" : number(exact.value)) : under.value === null ? "no value" : (under.mean ? "≈ " : "") + number(under.value)} {head.unit}
      </b>
      {r !== null && <span class="num">r {r.toFixed(1)} px</span>}
      {exact && (
        <span class="num dim">
          {exact.segment === null ? "between segments" : `raw ${number(exact.raw)}, segment ${exact.segment} row ${exact.row} column ${exact.col}`}
        </span>
      )}
    </output>
  );
}
