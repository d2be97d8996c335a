import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { useCell } from "./cell";
import { Chart, type Line } from "./chart";
import { percent, value } from "./format";
import { useModel } from "./model";
import { Choice, Panel } from "./parts";

const short = new Intl.NumberFormat("en-GB", { notation: "compact", maximumSignificantDigits: 3 });
const rateLines: Line[] = [
  { label: "received/s", colour: "line1", text: (v) => short.format(v) },
  { label: "recorded/s", colour: "line2", text: (v) => short.format(v) },
];
const hitLines: Line[] = [{ label: "hits", colour: "line3", text: (v) => percent(v) }];
const spans = [60, 600, 3600];

export function Strips(): JSX.Element {
  const model = useModel();
  const series = useCell(model.rates.series);
  const span = useCell(model.preferences.span);
  const replay = useCell(model.replay.state);
  const searched = (useCell(model.status)?.status.hits.searched ?? 0) > 0;
  const rates = useMemo<[number[], number[], number[]]>(() => [series.t, series.rate, series.recorded], [series]);
  const hits = useMemo<[number[], (number | null)[]]>(() => [series.t, series.hitRate], [series]);
  return (
    <Panel title="Rates" name="strips" note={<Choice label="time shown" all={spans} value={span} set={(s) => model.preferences.span.set(s)} text={(s) => `${s / 60} min`} />}>
      <Chart key={`r${span}`} label="events received and recorded per second, over time" lines={rateLines} data={rates} time span={span} sync="rates" />
      {searched ? <Chart key={`h${span}`} label="hits of the events searched, over time" lines={hitLines} data={hits} time span={span} range={[0, 1]} sync="rates" /> : <p class="empty">{replay?.recorded === false ? "no hit rate: no status was recorded beside the files" : "no hit rate: this run does not look for hits (--hits)"}</p>}
    </Panel>
  );
}

export function Radial(): JSX.Element {
  const image = useCell(useModel().image);
  const radial = image?.head.radial;
  const unit = image?.head.unit ?? "";
  const data = useMemo<[number[], (number | null)[]] | null>(() => radial ? [radial.values.map((_, i) => (i + 0.5) * radial.step), radial.values] : null, [radial]);
  const lines = useMemo<Line[]>(() => [{ label: `mean ${unit}`, colour: "line1", text: value }], [unit]);
  return (
    <Panel title="Radial profile" name="radial">
      {data ? <Chart key={unit} label="mean of the pixels at each distance from the centre" lines={lines} data={data} time={false} x={`distance from the centre, ${radial!.unit}`} />
        : <p class="empty">none: the picture has no centre</p>}
    </Panel>
  );
}
