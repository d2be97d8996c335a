import { Cell } from "./cell";
import { type Passage, passageSeconds } from "./frame";

// What is wanted of a stream of pictures, and what the link may be asked for: no finer than bin, no more than rate per second.
export interface Limit {
  bin: number;
  rate: number;
}

export const rateSteps = [0.5, 1, 2, 5, 10, 20, 30];
const allSteps = [0.1, 0.2, ...rateSteps]; // down to the least that the server takes
export const noLimit: Limit = { bin: 1, rate: Infinity };

const coarsest = 8;
const remembered = 5; // pictures whose way is known
const decisive = 4; // seconds on the way of one, after which the others are not asked: the server waits for ten
const soon = 0.6; // seconds on the way that are well for a picture: what is shown is as old, and what follows it waits as long
const late = 2 * soon;
const share = 0.7; // of the link that pictures take, so that what has piled up gets through
const full = 0.95; // of it that makes them pile up
const rest = 3; // seconds until a limit that was set shows what it does
const calm = 10; // seconds until more is tried
const longestCalm = 160;

// A Pace finds out what the link carries, from the time that pictures take to arrive, and says what may be asked for: first fewer
// pictures, and coarser ones where one of them would be too long on its way. When the link carries more again, it asks for
// more, a step at a time, and less often where that was too much.
export class Pace {
  readonly limit = new Cell<Limit>(noLimit);
  private passages: Passage[] = [];
  private changed = -Infinity;
  private raised = -Infinity;
  private patience = calm;

  // carried notes a picture that has come, at a time in seconds, where pictures like it are wanted.
  carried(passage: Passage, bin: number, wanted: Limit, now: number): void {
    this.passages = [...this.passages, passage].slice(-remembered);
    this.judge({ size: passage.size, bin }, wanted, now);
  }

  // waiting notes one that is still on its way.
  waiting(passage: Passage, bin: number, wanted: Limit, now: number): void {
    if (passage.seconds < late) return;
    const known = this.passages;
    this.passages = passage.seconds < decisive ? [...known, passage].slice(-remembered) : [passage];
    this.judge({ size: passage.size, bin }, wanted, now);
    this.passages = known;
  }

  // free forgets the limit, since something else is wanted. What is known of the link stays.
  free(): void {
    this.changed = -Infinity;
    this.limit.set(noLimit);
  }

  // speed is that of the link in bytes per second, as far as pictures have shown it. It is that of the second fastest of them: a
  // browser, or a server, that has no processor for a while makes single ones slow, and no link makes one fast.
  get speed(): number {
    const speeds = this.passages.map((p) => (p.later || p.size) / passageSeconds(p)).sort((a, b) => b - a);
    return speeds[speeds.length < remembered ? 0 : 1] ?? Infinity;
  }

  private judge(picture: { size: number; bin: number }, wanted: Limit, now: number): void {
    const { speed } = this;
    const takes = (bin: number): number => (picture.size * (picture.bin / bin) ** 2) / speed;
    const asked = { bin: Math.max(wanted.bin, this.limit.value.bin), rate: Math.min(wanted.rate, this.limit.value.rate) };
    const best = fitting(takes, wanted);
    const worse = best.bin > asked.bin || best.rate < asked.rate;
    if (worse && (takes(asked.bin) > late || takes(asked.bin) * asked.rate > full)) {
      if (now < this.changed + rest) return;
      this.patience = now < this.raised + 2 * calm ? Math.min(2 * this.patience, longestCalm) : calm;
      this.set(best, wanted, now);
    } else if (best.bin < asked.bin || (best.bin === asked.bin && best.rate > asked.rate)) {
      if (now < this.changed + this.patience) return;
      this.raised = now;
      this.set(fitting(takes, { bin: Math.max(best.bin, asked.bin / 2), rate: wanted.rate }), wanted, now);
    }
  }

  private set(best: Limit, wanted: Limit, now: number): void {
    this.changed = now;
    this.limit.set({ bin: best.bin > wanted.bin ? best.bin : noLimit.bin, rate: best.rate < wanted.rate ? best.rate : noLimit.rate });
  }
}

// fitting gives the most of what is wanted that a link carries on which a picture takes so many seconds.
function fitting(takes: (bin: number) => number, wanted: Limit): Limit {
  let { bin } = wanted;
  while (bin < coarsest && takes(bin) > soon) bin *= 2;
  const most = share / takes(bin);
  return { bin, rate: wanted.rate <= most ? wanted.rate : (allSteps.filter((rate) => rate <= most).pop() ?? allSteps[0]!) };
}
