import type { JSX } from "preact";
import { useCell } from "./cell";
import { bytes, count, perSecond, seconds } from "./format";
import { useModel } from "./model";
import { Panel } from "./parts";
import type { Status } from "./protocol";

interface Stage {
  name: string;
  main: string; // what it has done, or holds
  facts: string[];
  bad?: string; // what somebody should look at
}

interface Flow {
  label: string;
  rate: number; // per second
}

// Pipeline draws the way of an event, as the run is built: what is not used is not drawn.
export function Pipeline(): JSX.Element {
  const model = useModel();
  const frame = useCell(model.status);
  const before = useCell(model.before);
  const ended = useCell(model.ended);
  if (!frame) return <Panel title="Pipeline" name="pipeline"><p class="empty">no status yet</p></Panel>;
  if (frame.replay && !frame.replay.recorded) return <Panel title="Pipeline" name="pipeline"><p class="empty">no status was recorded beside the files</p></Panel>;
  const s = frame.status;
  const b = before?.status ?? s;
  const lasted = (Date.parse(s.time) - Date.parse(b.time)) / 1000;
  const over = s.state === "ended" || ended !== "";
  const rate = (pick: (s: Status) => number): number => (lasted > 0.3 && !over ? Math.max(0, (pick(s) - pick(b)) / lasted) : 0);
  const answered = (x: Status): number => (x.workers ?? []).reduce((sum, w) => sum + w.events, 0);
  const decided = (x: Status): number => (x.trigger?.decisions ?? []).reduce((sum, d) => sum + d.count, 0);
  return (
    <Panel title="Pipeline" name="pipeline" note={<Latencies status={s} />}>
      <ol class="flow">
        <Box stage={source(s)} />
        <Arrow label="events" rate={rate((x) => x.events.received)} />
        <Box stage={pebble(s)} />
        <Arrow label="events" rate={rate((x) => x.events.received)} />
        <Box stage={workers(s)} />
        <Arrow label="answers" rate={rate(answered)} />
        <Box stage={collector(s)} />
        {s.trigger && (
          <>
            <Arrow label="decisions" rate={rate(decided)} />
            <Box stage={trigger(s.trigger)} />
          </>
        )}
        {s.post_workers && (
          <>
            <Arrow label="events" rate={rate((x) => x.events.posted)} />
            <Box stage={second(s)} />
          </>
        )}
        <li class="fork">
          <ol>
            <Arrow label="recorded" rate={rate((x) => x.events.recorded)} />
            <Box stage={recorder(s)} />
            <Arrow label="copies" rate={rate((x) => (x.consumers ?? []).reduce((sum, c) => sum + c.delivered, 0))} />
            <Box stage={monitors(s)} />
          </ol>
        </li>
      </ol>
    </Panel>
  );
}

function Box({ stage }: { stage: Stage }): JSX.Element {
  return (
    <li class="stage">
      <h3>{stage.name}</h3>
      <b class="num">{stage.main}</b>
      {stage.facts.map((fact) => (
        <span key={fact} class="num dim">
          {fact}
        </span>
      ))}
      {stage.bad && <span class="num notable">{stage.bad}</span>}
    </li>
  );
}

function Arrow({ label, rate }: Flow): JSX.Element {
  return (
    <li class={rate > 0 ? "arrow flowing" : "arrow"}>
      <span class="num">{perSecond(rate)}</span>
      <i aria-hidden="true" />
      <span class="dim">{label}</span>
    </li>
  );
}

function Latencies({ status }: { status: Status }): JSX.Element {
  return (
    <span class="latencies" title="half of the events took no longer in each stage; of one event in 64">
      {(status.stages ?? []).filter((stage) => stage.latency.count > 0).map((stage) => (
        <span key={stage.name}>
          {stage.name} <b class="num">{seconds(stage.latency.p50)}</b>
        </span>
      ))}
    </span>
  );
}

function source({ events: e }: Status): Stage {
  return { name: "source", main: count(e.received), facts: [bytes(e.bytes_received), `deadtime ${seconds(e.deadtime_seconds)}`], ...(e.dropped > 0 ? { bad: `${count(e.dropped)} dropped` } : {}) };
}

function pebble({ workers, transition_slots }: Status): Stage {
  const all = workers ?? [];
  const sum = (pick: (w: (typeof all)[number]) => number): number => all.reduce((total, w) => total + pick(w), 0);
  return { name: "pebble", main: `${count(sum((w) => w.event_slots.in_use))} of ${count(sum((w) => w.event_slots.slots))}`, facts: ["slots in use", `transitions ${transition_slots.in_use} of ${transition_slots.slots}`] };
}

function workers({ workers: all, events }: Status): Stage {
  const list = all ?? [];
  const working = list.filter((w) => w.state === "working").length;
  const restarts = list.reduce((sum, w) => sum + w.restarts, 0);
  const bad = [restarts > 0 ? `${count(restarts)} restarts` : "", events.quarantined > 0 ? `${count(events.quarantined)} quarantined` : ""].filter(Boolean).join(", ");
  return { name: "workers", main: `${working} of ${list.length}`, facts: ["working", `${count(list.reduce((sum, w) => sum + w.waiting, 0))} waiting`], ...(bad ? { bad } : {}) };
}

function collector({ events: e }: Status): Stage {
  return { name: "collector", main: count(e.in_flight), facts: ["under way", `${count(e.rejected)} rejected`], ...(e.late_answers > 0 ? { bad: `${count(e.late_answers)} late` } : {}) };
}

function trigger(t: NonNullable<Status["trigger"]>): Stage {
  return { name: "TEB", main: count(t.waiting), facts: ["not decided", `p50 ${seconds(t.latency.p50)}`] };
}

function second({ events: e, post_workers }: Status): Stage {
  return { name: "post", main: count(e.posted), facts: [`${(post_workers ?? []).length} workers`], ...(e.post_failed > 0 ? { bad: `${count(e.post_failed)} failed` } : {}) };
}

function recorder({ events: e }: Status): Stage {
  return { name: "recorder", main: count(e.recorded), facts: [bytes(e.bytes_recorded)], ...(e.lost + e.failed > 0 ? { bad: `${count(e.lost + e.failed)} lost` } : {}) };
}

function monitors({ consumers }: Status): Stage {
  const missed = (consumers ?? []).reduce((sum, c) => sum + (c.newest ? 0 : c.missed), 0);
  return { name: "monitors", main: count((consumers ?? []).length), facts: [consumers?.length === 1 ? "consumer" : "consumers", `${count(missed)} missed`] };
}
