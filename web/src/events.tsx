import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { useCell } from "./cell";
import { clock, count } from "./format";
import { type Filter, passes } from "./kept";
import { type Model, useModel } from "./model";
import { Panel, Toggle } from "./parts";
import type { EventRow } from "./protocol";

const most = 150; // rows that are drawn

// Events lists what has come, the newest first. An arrow key chooses an event, and shows its picture.
export function Events(): JSX.Element {
  const model = useModel();
  const rows = useCell(model.rows);
  const filter = useCell(model.filter);
  const selected = useCell(model.selected);
  const there = useCell(model.there);
  const list = useRef<HTMLDivElement>(null);
  const passing = rows.filter((row) => passes(row, filter));
  const shown = around(passing, selected);
  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  }, [selected, shown.length]);
  return (
    <Panel title="Events" name="events" note={passing.length === rows.length ? count(rows.length) : `${count(passing.length)} of ${count(rows.length)}`}>
      <Filters filter={filter} set={(f) => model.filter.set(f)} />
      <div class="columns dim" aria-hidden="true">
        <span>number</span>
        <span>time</span>
        <span>peaks</span>
        <span>outcome</span>
      </div>
      <div ref={list} class="list" role="listbox" tabIndex={0} aria-label="events, newest first" aria-activedescendant={selected === null ? undefined : `event-${selected}`}
        onKeyDown={(e) => onKey(e, model)}>
        {shown.map((row) => (
          <Row key={row.number} row={row} selected={row.number === selected} gone={there !== null && !there.has(row.number)} show={() => void model.show(row.number)} />
        ))}
        {shown.length === 0 && <p class="empty">{rows.length === 0 ? "none has come yet" : "none passes the filter"}</p>}
      </div>
    </Panel>
  );
}

// around gives the newest rows, or those about the one that is chosen.
function around(rows: EventRow[], selected: number | null): EventRow[] {
  const newestFirst = [...rows].reverse();
  const at = selected === null ? 0 : Math.max(0, newestFirst.findIndex((row) => row.number === selected));
  const from = Math.max(0, Math.min(at - most / 2, newestFirst.length - most));
  return newestFirst.slice(from, from + most);
}

function onKey(event: KeyboardEvent, model: Model): void {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "ArrowUp") model.step(1);
  else if (event.key === "ArrowDown") model.step(-1);
  else return;
  event.preventDefault();
}

function Filters({ filter, set }: { filter: Filter; set: (filter: Filter) => void }): JSX.Element {
  return (
    <div class="filters" role="group" aria-label="filter">
      {(["hits", "damaged", "rejected", "vetoed"] as const).map((name) => (
        <Toggle key={name} on={filter[name]} set={(on) => set({ ...filter, [name]: on })}>
          {name}
        </Toggle>
      ))}
      <span class="field">
        <label for="npeaks">peaks ≥</label>
        <input id="npeaks" type="number" min={0} value={filter.peaks} onInput={(e) => set({ ...filter, peaks: Math.max(0, e.currentTarget.valueAsNumber || 0) })} />
      </span>
    </div>
  );
}

function Row({ row, selected, gone, show }: { row: EventRow; selected: boolean; gone: boolean; show: () => void }): JSX.Element {
  const words = (row.flags ?? []).filter((flag) => flag !== "hit");
  const outcome = [row.hit ? "hit" : "", ...words].filter(Boolean).join(", ");
  const title = [gone ? "its picture is no longer kept" : "", `pulse ${row.pulse}`, outcome, row.reason && `trigger: ${row.reason}`].filter(Boolean).join("; ");
  return (
    <div id={`event-${row.number}`} role="option" aria-selected={selected} class={gone ? "event gone" : "event"} title={title} onClick={show}>
      <span class="num">{count(row.number)}</span>
      <span class="num dim">{clock(row.timestamp, 3)}</span>
      <span class="num">{row.hit === null ? "–" : count(row.npeaks)}</span>
      <span class={words.includes("damaged") ? "notable" : ""}>
        {outcome}
        {row.reason && <span class="dim"> trigger: {row.reason}</span>}
      </span>
    </div>
  );
}
