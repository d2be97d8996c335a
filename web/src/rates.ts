import { getJSON } from "./api";
import { Cell } from "./cell";
import type { History, Status } from "./protocol";

// Series are samples in the order of time, a second apart: t[i] and all others at i belong together.
export interface Series {
  t: number[];
  rate: number[];
  hitRate: (number | null)[];
  recorded: number[];
  busy: number[][]; // of each worker, 0 to 1 over time
}

export const noSeries: Series = { t: [], rate: [], hitRate: [], recorded: [], busy: [] };
const most = 3600;

// Rates are what the strips show: the server's history, and from then on what each status says since the one before.
export class Rates {
  readonly series = new Cell<Series>(noSeries);
  private before: Status | null = null;

  async load(): Promise<void> {
    const past = await getJSON<History>(`v1/page/history?seconds=${most}`);
    const series = { t: past.t ?? [], rate: past.rate ?? [], hitRate: past.hit_rate ?? [], recorded: past.recorded ?? [], busy: past.busy ?? [] };
    const last = series.t[series.t.length - 1] ?? -Infinity;
    this.series.set(join(series, after(this.series.value, last)));
  }

  add(status: Status): void {
    const { before } = this;
    if (before !== null && sameRun(before, status)) {
      const seconds = (Date.parse(status.time) - Date.parse(before.time)) / 1000;
      if (seconds < 0.4) return; // too short for a rate; this is counted with the next
      if (seconds < 30) this.series.set(join(this.series.value, sample(before, status, seconds)));
    }
    this.before = status;
  }
}

// sameRun tells whether counts go on from one status to the other.
export function sameRun(a: Status, b: Status): boolean {
  return a.pid === b.pid && a.host === b.host && a.run === b.run && b.events.received >= a.events.received && Date.parse(b.time) >= Date.parse(a.time);
}

export function sample(a: Status, b: Status, seconds: number): Series {
  const searched = b.hits.searched - a.hits.searched;
  const busyBefore = new Map((a.workers ?? []).map((w) => [w.number, w.busy_seconds]));
  const part = (w: { number: number; busy_seconds: number }): number =>
    Math.min(Math.max((w.busy_seconds - (busyBefore.get(w.number) ?? w.busy_seconds)) / seconds, 0), 1);
  return {
    t: [Date.parse(b.time) / 1000],
    rate: [(b.events.received - a.events.received) / seconds],
    hitRate: [searched > 0 ? (b.hits.hits - a.hits.hits) / searched : null],
    recorded: [(b.events.recorded - a.events.recorded) / seconds],
    busy: (b.workers ?? []).map((w) => [part(w)]),
  };
}

function join(a: Series, b: Series): Series {
  const both = <T>(x: T[], y: T[]): T[] => [...x, ...y].slice(-most);
  return { t: both(a.t, b.t), rate: both(a.rate, b.rate), hitRate: both(a.hitRate, b.hitRate), recorded: both(a.recorded, b.recorded), busy: alongside(a, b) };
}

// alongside joins what each worker did. One that was not there yet, or is there no more, did nothing.
function alongside(a: Series, b: Series): number[][] {
  const idle = (n: number): number[] => new Array<number>(n).fill(0);
  return Array.from({ length: Math.max(a.busy.length, b.busy.length) }, (_, i) =>
    [...(a.busy[i] ?? idle(a.t.length)), ...(b.busy[i] ?? idle(b.t.length))].slice(-most),
  );
}

function after(s: Series, t: number): Series {
  const from = s.t.findIndex((at) => at > t + 0.5);
  const tail = <T>(x: T[]): T[] => (from < 0 ? [] : x.slice(from));
  return { t: tail(s.t), rate: tail(s.rate), hitRate: tail(s.hitRate), recorded: tail(s.recorded), busy: s.busy.map(tail) };
}
