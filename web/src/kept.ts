import type { Pixels } from "./frame";
import type { EventRow, ImageHead } from "./protocol";

export type Shown = Pixels<ImageHead, Uint16Array>;

// Kept are the pictures that were shown last, so that one can step back to what one has seen although the server, which keeps
// few events, has gone on. Bounded in number and in bytes; the oldest go first.
export class Kept {
  private readonly images = new Map<number, Shown>(); // in the order in which they were shown
  private bytes = 0;

  constructor(
    private readonly most = 64,
    private readonly mostBytes = 128 << 20,
  ) {}

  add(image: Shown): void {
    const number = image.head.number;
    const before = this.images.get(number);
    if (before) {
      if (before.head.bin < image.head.bin) return; // the finer one stays
      this.bytes -= before.pixels.byteLength;
      this.images.delete(number);
    }
    this.images.set(number, image);
    this.bytes += image.pixels.byteLength;
    for (const [oldest, old] of this.images) {
      if (this.images.size <= this.most && (this.bytes <= this.mostBytes || this.images.size === 1)) return;
      this.images.delete(oldest);
      this.bytes -= old.pixels.byteLength;
    }
  }

  get(number: number): Shown | undefined {
    return this.images.get(number);
  }

  clear(): void {
    this.images.clear();
    this.bytes = 0;
  }

  rows(): EventRow[] {
    return [...this.images.values()].map(({ head }) => ({
      number: head.number,
      pulse: head.pulse,
      timestamp: head.timestamp,
      hit: head.hit,
      npeaks: head.npeaks,
      flags: head.flags,
      reason: head.reason ?? "",
    }));
  }
}

// Filter says which events a list shows.
export interface Filter {
  hits: boolean;
  damaged: boolean;
  rejected: boolean;
  vetoed: boolean;
  peaks: number; // at least
}

export const noFilter: Filter = { hits: false, damaged: false, rejected: false, vetoed: false, peaks: 0 };

// passes: of the kinds that are ticked any will do; all when none is.
export function passes(row: EventRow, filter: Filter): boolean {
  if (row.npeaks < filter.peaks) return false;
  const flags = row.flags ?? [];
  const wanted = [filter.hits && (row.hit === true || flags.includes("hit")), filter.damaged && flags.includes("damaged"),
    filter.rejected && flags.includes("rejected"), filter.vetoed && flags.includes("vetoed")];
  return wanted.some(Boolean) || !(filter.hits || filter.damaged || filter.rejected || filter.vetoed);
}

// joined puts new rows to the others, by number, and keeps the newest. A number that falls is another run, or a replay that was
// set back: what came before is of no use then when it lies ahead.
export function joined(rows: EventRow[], more: EventRow[], most: number): EventRow[] {
  const all = new Map(rows.map((row) => [row.number, row]));
  for (const row of more) all.set(row.number, row);
  return [...all.values()].sort((a, b) => a.number - b.number).slice(-most);
}
