import assert from "node:assert/strict";
import { test } from "node:test";
import { type Limit, Pace } from "../../src/pace";

// A Line carries pictures to a page by a clock of its own, as the server sends them: the newest one when it is due, into a buffer
// of a connection, which the link empties. It begins anew with each limit that the page sets.
class Line {
  readonly pace = new Pace();
  readonly shown: { at: number; age: number; bin: number }[] = [];
  readonly limits: Limit[] = [];
  wanted: Limit = { bin: 1, rate: 10 };
  now = 0;
  private sent: { size: number; made: number; begun: number | null; carried: number; bin: number }[] = [];
  private due = 0;

  constructor(public speed: number, private readonly full = 4.3e6, private readonly buffer = 4e6) {
    this.pace.limit.listen((limit) => {
      this.limits.push(limit);
      this.sent = [];
      this.due = this.now;
    });
  }

  go(seconds: number): this {
    const tick = 0.01;
    for (const end = this.now + seconds; this.now < end; this.now += tick) {
      this.send();
      this.carry(this.speed * tick);
    }
    return this;
  }

  get asked(): Limit {
    const { bin, rate } = this.pace.limit.value;
    return { bin: Math.max(this.wanted.bin, bin), rate: Math.min(this.wanted.rate, rate) };
  }

  // ages are those of pictures shown since a moment, seconds.
  ages(since: number): number[] {
    return this.shown.filter((s) => s.at >= since).map((s) => s.age);
  }

  private send(): void {
    const waiting = this.sent.reduce((sum, p) => sum + p.size - p.carried, 0);
    if (this.now < this.due || waiting > this.buffer) return;
    const { bin, rate } = this.asked;
    this.due = Math.max(this.due + 1 / rate, this.now);
    this.sent.push({ size: this.full / bin ** 2, made: this.now, begun: null, carried: 0, bin });
  }

  private carry(bytes: number): void {
    while (bytes > 0 && this.sent.length > 0) {
      const first = this.sent[0]!;
      const part = Math.min(bytes, first.size - first.carried);
      const begun = (first.begun ??= this.now);
      first.carried += part;
      bytes -= part;
      const passage = { size: first.size, later: begun === this.now ? 0 : first.carried, seconds: this.now - begun };
      if (first.carried < first.size) {
        this.pace.waiting(passage, first.bin, this.wanted, this.now);
        return;
      }
      this.sent.shift();
      this.shown.push({ at: this.now, age: this.now - first.made, bin: first.bin });
      this.pace.carried(passage, first.bin, this.wanted, this.now);
    }
  }
}

test("a link of a gigabit gets all that is wanted, whatever its buffers", () => {
  for (const buffer of [1e5, 4e6, 2e7]) {
    const line = new Line(125e6, 4.3e6, buffer).go(60);
    assert.deepEqual(line.limits, []);
    assert.ok(line.ages(0).length > 550 && Math.max(...line.ages(1)) < 0.2, `${line.ages(0).length} pictures`);
  }
});

test("on slow links pictures are coarser and fewer, go on, and are of now", () => {
  for (const speed of [1e5, 3e5, 1e6, 2e6, 5e6, 2e7]) {
    for (const full of [1e6, 4.3e6, 32e6]) {
      const line = new Line(speed, full).go(60);
      const [ages, { bin, rate }] = [line.ages(20), line.asked];
      const what = `${speed} B/s, pictures of ${full} B: bin ${bin}, ${rate}/s, ${ages.length} pictures, ages up to ${Math.max(...ages)}`;
      const coarsest = full / 64 / speed;
      assert.ok(ages.length >= Math.min(10, 30 * rate), what);
      assert.ok(Math.max(...ages) < 2.5 + 2 * coarsest, what);
      if (bin > 1) assert.ok((full / (bin / 2) ** 2) / speed > 0.5, `${what}: finer ones would do`);
      if (full * 10 > 0.95 * speed) assert.ok(line.limits.length > 0, what);
    }
  }
});

test("on a link that becomes slow, and fast again, pictures become so, too", () => {
  const line = new Line(125e6).go(20);
  assert.deepEqual(line.asked, { bin: 1, rate: 10 });
  line.speed = 2e6;
  line.go(40);
  assert.ok(line.asked.bin > 1, JSON.stringify(line.asked));
  assert.ok(Math.max(...line.ages(40)) < 2, `${Math.max(...line.ages(40))}`);
  line.speed = 125e6;
  line.go(60);
  assert.deepEqual(line.asked, { bin: 1, rate: 10 });
});

test("what was too much is tried less and less often", () => {
  const line = new Line(2e6);
  line.go(1800);
  assert.ok(line.limits.length < 60, `${line.limits.length} limits in half an hour`);
  assert.ok(line.limits.length > 0);
});

test("what else is wanted is asked for at once, and no less than before", () => {
  const line = new Line(2e6).go(30);
  assert.ok(line.asked.bin > 1);
  line.wanted = { bin: 8, rate: 2 };
  line.pace.free();
  assert.deepEqual(line.asked, line.wanted);
  line.go(30);
  assert.deepEqual(line.asked, line.wanted);
});

test("a browser that stands still for a while has no slow link", () => {
  const pace = new Pace();
  for (let i = 0; i < 200; i++) {
    const seconds = i % 5 < 2 ? 0.04 : 2.5;
    pace.carried({ size: 1e6, later: 9e5, seconds }, 1, { bin: 1, rate: 4 }, i / 4);
    assert.deepEqual(pace.limit.value, { bin: 1, rate: Infinity }, `after ${i + 1} pictures`);
  }
});
