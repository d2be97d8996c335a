import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { colour } from "./theme";

export interface Line {
  label: string;
  colour: string; // a name of the style sheet
  text: (value: number) => string;
}

interface Props {
  label: string; // what it shows, for those who do not see it
  lines: Line[];
  data: uPlot.AlignedData;
  time: boolean;
  x?: string; // name of the x axis
  range?: [number, number]; // of y, where it is known
  span?: number; // of x, seconds
  sync?: string; // charts of the same name share the cursor
}

// A Chart is made once and then fed: its canvas is uPlot's, not the framework's.
export function Chart(props: Props): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;

  useEffect(() => {
    const at = place.current!;
    const made = new uPlot(options(latest, at), latest.current.data, at);
    plot.current = made;
    const sized = new ResizeObserver(() => made.setSize({ width: at.clientWidth, height: at.clientHeight }));
    sized.observe(at);
    const redraw = (): void => made.redraw(false, true);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", redraw);
    const chosen = new MutationObserver(redraw); // the theme is an attribute
    chosen.observe(document.documentElement, { attributes: true });
    return () => {
      sized.disconnect();
      chosen.disconnect();
      dark.removeEventListener("change", redraw);
      made.destroy();
    };
  }, []);
  useEffect(() => plot.current?.setData(props.data), [props.data]);

  return (
    <figure class="chart">
      <figcaption>
        {props.lines.map((line, i) => {
          const values = props.data[i + 1] as (number | null)[] | undefined;
          const last = props.time ? values?.[values.length - 1] : undefined;
          return (
            <span key={line.label} class={`line ${line.colour}`}>
              {line.label} {last !== null && last !== undefined && <b class="num">{line.text(last)}</b>}
            </span>
          );
        })}
      </figcaption>
      <div ref={place} class="plot" role="img" aria-label={props.label} />
    </figure>
  );
}

function options(latest: { current: Props }, at: HTMLElement): uPlot.Options {
  const { lines, time, x, sync } = latest.current;
  const axis = { stroke: () => colour("dim"), grid: { stroke: () => colour("grid"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
  return {
    width: at.clientWidth || 300,
    height: at.clientHeight || 120,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, ...(sync ? { sync: { key: sync } } : {}) },
    scales: {
      x: { time, range: (_, min, max) => (latest.current.span ? [(max ?? 0) - latest.current.span, max ?? 0] : [min ?? 0, max ?? 1]) },
      y: { range: (_, min, max) => latest.current.range ?? [Math.min(min ?? 0, 0), (max ?? 0) > 0 ? max * 1.08 : 1] },
    },
    axes: [
      { ...axis, size: x ? 34 : 22, space: 70, ...(x ? { label: x, labelSize: 14, labelGap: 0, labelFont: "11px system-ui, sans-serif" } : {}),
        ...(time ? { values: (_: uPlot, ticks: number[]) => ticks.map(hhmm) } : {}) },
      { ...axis, size: 52, space: 26, values: (_, ticks) => ticks.map((v) => lines[0]!.text(v)) },
    ],
    series: [{}, ...lines.map((line) => ({ label: line.label, stroke: () => colour(line.colour), width: 1.5, points: { show: false }, spanGaps: false }))],
  };
}

function hhmm(t: number): string {
  return new Date(t * 1000).toLocaleTimeString("en-GB", { hour12: false });
}
