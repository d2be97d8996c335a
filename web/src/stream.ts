import { reason, Refused } from "./api";
import { type Frame, FrameError, FrameReader, type Passage } from "./frame";

// What is asked of a stream; another wish is another stream.
export interface Wish {
  image: "event" | "sum" | "max" | "none";
  bin: number;
  rate: number;
  hits: boolean;
}

export type Link =
  | { state: "connecting"; why: string }
  | { state: "open"; why: "" }
  | { state: "lost"; why: string; refused: boolean; retry: number }; // refused by who is there; retry is the moment of the next try, as Date.now() counts

// The page came with a token that was right then.
const strange = "drp has begun anew at this address, and with another token: open the address that it has printed";

const firstPause = 500;
const longestPause = 15_000;
// Status comes every second: a stream that says nothing for so long is a connection that nobody has told us of.
const silence = 8_000;

export function address(wish: Wish): string {
  return `v1/page/stream?image=${wish.image}&bin=${wish.bin}&rate=${wish.rate}&hits=${wish.hits ? 1 : 0}`;
}

// A Stream keeps one connection to the server, and tries again, less and less often, when it is lost.
export class Stream {
  private wish: Wish | null = null;
  private abort: AbortController | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private pause = firstPause;

  constructor(
    private readonly onBegin: () => void, // a stream begins, with all lines of the log again
    private readonly onFrame: (frame: Frame) => void,
    private readonly onLink: (link: Link) => void,
    private readonly onWay: (kind: number, passage: Passage) => void, // a frame is on its way
  ) {}

  // want begins a stream of this wish in place of the one before.
  want(wish: Wish): void {
    if (this.wish !== null && address(wish) === address(this.wish) && this.abort !== null) return;
    this.wish = wish;
    this.retryNow();
  }

  retryNow(): void {
    clearTimeout(this.timer);
    this.abort?.abort();
    const abort = new AbortController();
    this.abort = abort;
    void this.run(abort);
  }

  close(): void {
    clearTimeout(this.timer);
    this.abort?.abort();
    this.abort = null;
  }

  private async run(abort: AbortController): Promise<void> {
    this.onLink({ state: "connecting", why: "" });
    let why = "the connection has ended";
    let refused = false;
    try {
      why = await this.read(abort);
    } catch (err) {
      if (abort.signal.aborted && abort.signal.reason !== silence) return;
      why = abort.signal.aborted ? `nothing has come for ${silence / 1000} s` : sentence(err as Error);
      refused = err instanceof Refused;
    }
    if (abort !== this.abort) return; // another has taken its place
    abort.abort();
    this.onLink({ state: "lost", why, refused, retry: Date.now() + this.pause });
    this.timer = setTimeout(() => this.retryNow(), this.pause);
    this.pause = Math.min(2 * this.pause, longestPause);
  }

  private async read(abort: AbortController): Promise<string> {
    let watch = setTimeout(() => abort.abort(silence), silence);
    try {
      const answer = await fetch(address(this.wish!), { signal: abort.signal, credentials: "same-origin" });
      if (!answer.ok || answer.body === null) throw new Refused(answer.status, answer.status === 401 ? strange : reason(answer.status, await answer.text()));
      const source = answer.body.getReader();
      const frames = new FrameReader();
      if (abort === this.abort) this.onBegin();
      for (;;) {
        const { done, value } = await source.read();
        if (done) return frames.pending ? "the connection was cut" : "the server has ended the connection";
        clearTimeout(watch);
        watch = setTimeout(() => abort.abort(silence), silence);
        const now = performance.now() / 1000;
        for (const frame of frames.push(value, now)) {
          if (abort !== this.abort) return "";
          this.pause = firstPause;
          this.onLink({ state: "open", why: "" });
          this.onFrame(frame);
        }
        const underway = frames.underway(now);
        if (underway && abort === this.abort) this.onWay(underway.kind, underway.passage);
      }
    } finally {
      clearTimeout(watch);
    }
  }
}

function sentence(err: Error): string {
  if (err instanceof FrameError) return `the server has sent nonsense: ${err.message}`;
  return err instanceof TypeError ? "the server cannot be reached" : err.message;
}
