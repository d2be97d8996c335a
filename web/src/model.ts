import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { getBytes, getJSON, type Refused } from "./api";
import { Cell } from "./cell";
import { type Frame, kinds, parseImage, parseJSON, parseMask, type Passage, type Pixels, type Shape } from "./frame";
import { type Filter, joined, Kept, noFilter, passes, type Shown } from "./kept";
import { type Limit, Pace } from "./pace";
import { Preferences } from "./preferences";
import type { EventRow, ImageHead, LogLine, Picture, StatusFrame } from "./protocol";
import { Rates, sameRun } from "./rates";
import { ReplayControl } from "./replay";
import { SettingsControl } from "./settings";
import { type Link, Stream } from "./stream";

const mostRows = 1000;
const mostLines = 200;

// A Viewer is what keys move: the picture on the screen.
export interface Viewer {
  zoom(factor: number): void;
  move(dx: number, dy: number): void;
  all(): void;
  exact(): void;
}

// Slow is what is asked of a link that does not carry what is wanted.
export interface Slow extends Limit {
  bytesPerSecond: number;
}

// A Model is all that the page knows, and what it can do. What is shown listens to its cells.
export class Model {
  readonly preferences = new Preferences();
  readonly link = new Cell<Link>({ state: "connecting", why: "" });
  readonly status = new Cell<StatusFrame | null>(null);
  readonly before = new Cell<StatusFrame | null>(null); // the status before that one, for rates
  readonly image = new Cell<Shown | null>(null); // on the screen
  readonly rows = new Cell<EventRow[]>([]);
  readonly lines = new Cell<LogLine[]>([]);
  readonly ended = new Cell(""); // why the run, or the replay, has ended
  readonly paused = new Cell(false);
  readonly selected = new Cell<number | null>(null); // event that was asked for while paused
  readonly there = new Cell<Set<number> | null>(null); // events that can still be shown, known while paused
  readonly filter = new Cell<Filter>(noFilter);
  readonly mask = new Cell<Pixels<Shape & { bin: number }, Uint8Array> | null>(null);
  readonly problem = new Cell(""); // the last thing that did not work, in words for the user
  readonly help = new Cell(false);
  viewer: Viewer | null = null;
  readonly autoBin = new Cell(4); // what the screen can show
  readonly slow = new Cell<Slow | null>(null); // null where the link carries what is wanted
  readonly rates = new Rates();
  readonly settings = new SettingsControl();
  readonly replay = new ReplayControl();

  private readonly kept = new Kept();
  private readonly stream = new Stream(
    () => this.lines.set([]),
    (frame) => this.take(frame),
    (link) => this.linked(link),
    (kind, passage) => kind === kinds.image && this.pace.waiting(passage, this.bin(), this.wanted(), performance.now() / 1000),
  );
  private readonly pace = new Pace();
  private stood: number | null = null; // event that stands still on the screen, or did before a sum; null unless paused
  private asked = 0; // counts events that were asked for: only the answer to the last one is shown

  start(): void {
    const again = (): void => this.ask();
    this.preferences.stream.listen(() => {
      this.pace.free();
      this.ask();
    });
    this.pace.limit.listen(again);
    this.paused.listen(again);
    this.autoBin.listen(() => this.finer());
    document.addEventListener("visibilitychange", again);
    this.ask();
  }

  retry(): void {
    this.stream.retryNow();
  }

  // bin is that of the pictures that are asked for: as fine as is wanted, and as the link carries.
  bin(): number {
    return Math.max(this.wanted().bin, this.pace.limit.value.bin);
  }

  private wanted(): Limit {
    const { bin, rate } = this.preferences.stream.value;
    return { bin: bin === 0 ? this.autoBin.value : bin, rate };
  }

  // pause keeps what is on the screen. The stream goes on without pictures.
  pause(): void {
    if (this.paused.value) return;
    const head = this.image.value?.head;
    this.stood = head?.kind === "event" ? head.number : null;
    this.rows.set(joined(this.rows.value, this.kept.rows().filter((row) => !this.rows.value.some((r) => r.number === row.number)), mostRows));
    this.paused.set(true);
    void this.loadRows();
  }

  resume(): void {
    this.asked++;
    this.stood = null;
    this.selected.set(null);
    this.there.set(null);
    this.paused.set(false);
  }

  toggle(): void {
    if (this.replay.steers(this.status.value)) {
      void this.attempt(this.replay.post({ paused: !this.replay.state.value!.paused }));
      if (this.paused.value) this.resume();
    } else if (this.paused.value) this.resume();
    else this.pause();
  }

  // step goes to the next event, or the one before, of those that the list shows. A replay that may be steered is moved instead.
  step(by: 1 | -1): void {
    if (this.replay.steers(this.status.value) && !this.paused.value) {
      void this.attempt(this.replay.post({ step: by }));
      return;
    }
    const here = this.selected.value ?? this.stood ?? this.image.value?.head.number ?? Infinity;
    this.pause();
    const there = this.there.value;
    const shown = this.rows.value.filter(
      (row) => passes(row, this.filter.value) && (by > 0 ? row.number > here : row.number < here) && (!there || there.has(row.number)),
    );
    const next = by > 0 ? shown[0] : shown[shown.length - 1];
    if (next) void this.show(next.number);
    else this.say(by > 0 ? "there is no later event in the list" : "there is no earlier event in the list");
  }

  // choose says what kind of picture is wanted. What stands still gives way to it once: to the event that stood there, or to the
  // sum as it is now.
  choose(image: Picture): void {
    if (image === "event" && this.stood !== null) {
      void this.show(this.stood);
      return;
    }
    this.asked++;
    const { stream } = this.preferences;
    stream.set({ ...stream.value, image });
  }

  async show(number: number): Promise<void> {
    this.pause();
    this.selected.set(number);
    const ask = ++this.asked;
    const here = this.kept.get(number);
    if (here) this.stand(here);
    if (here && here.head.bin <= this.bin()) return;
    if (!here && this.there.value === null) await this.loadRows();
    if (this.there.value?.has(number) === false) {
      if (ask === this.asked) this.say(`the picture of event ${number} is no longer kept`);
      return;
    }
    try {
      const image = parseImage<ImageHead>(await getBytes(`v1/page/event?number=${number}&bin=${this.bin()}`));
      this.kept.add(image);
      if (ask === this.asked && this.paused.value) this.stand(image);
    } catch (err) {
      if (!here) this.say((err as Error).message);
    }
  }

  // stand shows an event for as long as the page is paused. An event is then what is chosen, whatever was before.
  private stand(image: Shown): void {
    this.stood = image.head.number;
    this.image.set(image);
    const { stream } = this.preferences;
    if (stream.value.image !== "event") stream.set({ ...stream.value, image: "event" });
  }

  // lacks tells whether the page is paused with a picture of another kind than is wanted, and the stream is to bring that.
  private lacks(): boolean {
    const { image } = this.preferences.stream.value;
    return this.paused.value && this.image.value?.head.kind !== image && (image !== "event" || this.stood === null);
  }

  async loadMask(): Promise<void> {
    const image = this.image.value;
    if (!image || this.mask.value?.head.bin === image.head.bin) return;
    try {
      this.mask.set(parseMask(await getBytes(`v1/page/mask?bin=${image.head.bin}`)));
    } catch (err) {
      this.mask.set(null);
      this.say(`the mask cannot be shown: ${(err as Error).message}`);
    }
  }

  // attempt tells the user when something that he wanted was refused.
  async attempt(work: Promise<unknown>): Promise<boolean> {
    try {
      await work;
      return true;
    } catch (err) {
      this.say((err as Refused).message);
      return false;
    }
  }

  say(text: string): void {
    this.problem.set("");
    this.problem.set(text);
  }

  private ask(): void {
    const { image, hits } = this.preferences.stream.value;
    const idle = (this.paused.value && !this.lacks()) || document.hidden;
    const { wanted, pace } = { wanted: this.wanted(), pace: this.pace };
    const [bin, rate] = [this.bin(), Math.min(wanted.rate, pace.limit.value.rate)];
    this.slow.set(bin > wanted.bin || rate < wanted.rate ? { bin, rate, bytesPerSecond: pace.speed } : null);
    this.stream.want({ image: idle ? "none" : image, bin, rate, hits });
  }

  // finer asks for more pixels, or fewer, as the screen shows more or fewer of them.
  private finer(): void {
    const image = this.image.value;
    if (this.paused.value && image?.head.kind === "event" && image.head.bin > this.bin()) void this.show(image.head.number);
    this.ask();
  }

  private linked(link: Link): void {
    const opened = link.state === "open" && this.link.value.state !== "open";
    if (link.state === "connecting" && this.link.value.state === "open") return; // another wish, not another server
    if (link.state === "lost" && link.refused) this.ended.set(""); // there is another run
    if (link.state !== this.link.value.state || link.state === "lost") this.link.set(link);
    if (!opened) return;
    void this.rates.load().catch(() => undefined); // the strips then begin now
  }

  private take(frame: Frame): void {
    switch (frame.kind) {
      case kinds.status:
        return this.takeStatus(parseJSON<StatusFrame>(frame.payload));
      case kinds.image:
        return this.takeImage(parseImage<ImageHead>(frame.payload), frame.passage);
      case kinds.events:
        if (!this.paused.value) this.rows.set(joined(this.rows.value, parseJSON<{ events: EventRow[] }>(frame.payload).events, mostRows));
        return;
      case kinds.log:
        return this.takeLines(parseJSON<{ lines: LogLine[]; anew?: boolean }>(frame.payload));
      case kinds.end:
        this.ended.set(parseJSON<{ why: string }>(frame.payload).why || "the run has ended");
        return;
      default: // of a later version
    }
  }

  // takeLines adds lines of the log; where a replay was set back, all of them come anew.
  private takeLines({ lines, anew }: { lines: LogLine[]; anew?: boolean }): void {
    this.lines.set([...(anew ? [] : this.lines.value), ...lines].slice(-mostLines));
  }

  private takeStatus(next: StatusFrame): void {
    const last = this.status.value;
    if (last && !sameRun(last.status, next.status)) {
      if (next.replay && next.replay.file === last.replay?.file) this.before.set(null); // it was set back: its events are the same
      else this.forget();
    } else if (last) this.before.set(last);
    this.status.set(next);
    this.rates.add(next.status);
    if (next.status.state !== "ended") this.ended.set("");
    this.replay.state.set(next.replay ?? null);
    this.lookAtSettings(next, last);
  }

  // lookAtSettings asks for them where there are some, when they may have changed: scripts declare theirs at Configure.
  private lookAtSettings(next: StatusFrame, last: StatusFrame | null): void {
    if (next.settings_generation === undefined) this.settings.settings.set(null);
    else if (next.status.state === "starting") return;
    else if (this.settings.settings.value === null || next.settings_generation !== last?.settings_generation || next.status.transition !== last.status.transition) {
      void this.settings.refresh();
    }
  }

  private takeImage(image: Shown, passage: Passage): void {
    this.pace.carried(passage, image.head.bin, this.wanted(), performance.now() / 1000);
    const { paused } = this;
    if (paused.value && !(this.lacks() && image.head.kind === this.preferences.stream.value.image)) return; // it was under way
    if (image.head.kind === "event") this.kept.add(image);
    if (paused.value && image.head.kind === "event") this.stood = image.head.number;
    this.image.set(image);
    if (paused.value) this.ask();
  }

  // forget what belongs to another run: numbers begin again.
  private forget(): void {
    this.kept.clear();
    this.stood = null;
    this.rows.set([]);
    this.before.set(null);
    this.mask.set(null);
  }

  private async loadRows(): Promise<void> {
    try {
      const { events } = await getJSON<{ events: EventRow[] | null }>("v1/page/events");
      if (!this.paused.value) return;
      this.rows.set(joined(this.rows.value, events ?? [], mostRows));
      this.there.set(new Set([...this.kept.rows(), ...(events ?? [])].map((row) => row.number)));
    } catch {
      // the list has what has come with the stream
    }
  }
}

const context = createContext<Model | null>(null);
export const ModelProvider = context.Provider;

export function useModel(): Model {
  const model = useContext(context);
  if (!model) throw new Error("there is no model above this component");
  return model;
}
