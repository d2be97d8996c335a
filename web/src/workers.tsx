import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { useCell } from "./cell";
import { bytes, count, percent, perSecond, seconds } from "./format";
import { useModel } from "./model";
import { Badge, Panel } from "./parts";
import type { Worker } from "./protocol";
import { colour } from "./theme";

const kinds = { idle: "plain", working: "good", starting: "warn", stopped: "bad", retired: "bad", ended: "plain" } as const;
const shown = 100; // samples of a strip

export function Workers(): JSX.Element {
  const model = useModel();
  const status = useCell(model.status)?.status;
  const before = useCell(model.before)?.status;
  const replay = useCell(model.replay.state);
  const series = useCell(model.rates.series);
  const over = useCell(model.ended) !== "" || status?.state === "ended";
  const lasted = status && before ? (Date.parse(status.time) - Date.parse(before.time)) / 1000 : NaN;
  const past = new Map((before?.workers ?? []).map((w) => [w.number, w]));
  const workers = status?.workers ?? [];
  const states = [...new Set(workers.map((w) => w.state))].map((state) => `${workers.filter((w) => w.state === state).length} ${state}`);
  if (replay?.recorded === false) return <Panel title="Workers" name="workers"><p class="empty">no status was recorded beside the files</p></Panel>;
  return (
    <Panel title="Workers" name="workers" note={states.join(", ")}>
      <div class="scroll" tabIndex={0} role="region" aria-label="table of workers">
        <table>
          <thead>
            <tr>
              <th scope="col">no.</th>
              <th scope="col" class="text">state</th>
              <th scope="col">busy</th>
              <th scope="col" class="text">last {shown} s</th>
              <th scope="col">events/s</th>
              <th scope="col" title="datagrams without an answer">waiting</th>
              <th scope="col">slots</th>
              <th scope="col" title="time of the script for one event: half of them, 99 % of them">script p50 / p99</th>
              <th scope="col">memory</th>
              <th scope="col">restarts</th>
            </tr>
          </thead>
          <tbody>
            {workers.map((w, i) => (
              <Row key={w.number} worker={w} past={past.get(w.number)} lasted={lasted} busy={(series.busy[i] ?? []).slice(-shown)} over={over} />
            ))}
          </tbody>
        </table>
        {status?.post_workers && <p class="dim">and {status.post_workers.length} of the second script, {status.post_workers.filter((w) => w.state === "working").length} of them working</p>}
      </div>
    </Panel>
  );
}

function Row({ worker: w, past, lasted, busy, over }: { worker: Worker; past: Worker | undefined; lasted: number; busy: number[]; over: boolean }): JSX.Element {
  const rate = past && !over && past.events <= w.events ? (w.events - past.events) / lasted : NaN;
  return (
    <tr>
      <th scope="row" title={w.pid ? `process ${w.pid}` : "no process"}>
        {w.number}
      </th>
      <td class="text">
        <Badge kind={kinds[w.state] ?? "plain"}>{w.state}</Badge>
      </td>
      <td>{percent(over ? null : (busy[busy.length - 1] ?? null))}</td>
      <td class="text">
        <Strip busy={busy} />
      </td>
      <td>{perSecond(rate)}</td>
      <td>{count(w.waiting)}</td>
      <td>
        {w.event_slots.in_use}/{w.event_slots.slots}
      </td>
      <td>
        {seconds(w.script.p50)} / {seconds(w.script.p99)}
      </td>
      <td>{bytes(w.resident_bytes)}</td>
      <td class={w.restarts > 0 ? "notable" : ""}>{count(w.restarts)}</td>
    </tr>
  );
}

// Strip draws a second as a bar, as high as the worker was busy.
function Strip({ busy }: { busy: number[] }): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const ctx = canvas.current?.getContext("2d");
    if (!ctx) return;
    const { width, height } = ctx.canvas;
    ctx.clearRect(0, 0, width, height);
    ctx.fillStyle = colour("line1");
    busy.forEach((part, i) => {
      const high = Math.max(Math.round(part * height), part > 0 ? 1 : 0);
      ctx.fillRect(width - busy.length + i, height - high, 1, high);
    });
  }, [busy]);
  return <canvas class="strip" ref={canvas} width={shown} height={16} aria-hidden="true" />;
}
