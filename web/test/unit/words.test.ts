import assert from "node:assert/strict";
import { test } from "node:test";
import { exactly, reason } from "../../src/api";
import { difference } from "../../src/books";
import { bytes, clock, duration, percent, perSecond, seconds, value } from "../../src/format";
import type { Books, Setting, Status } from "../../src/protocol";
import { sample, sameRun } from "../../src/rates";
import { limits } from "../../src/settings";

test("refusals are read from JSON and from text", () => {
  assert.equal(reason(422, '{"error":"threshold: -1 is less than 0"}'), "threshold: -1 is less than 0");
  assert.equal(reason(401, "the token is missing\n"), "the token is missing");
  assert.equal(reason(500, ""), "the server has answered with 500");
  assert.equal(reason(500, '{"error":7}'), '{"error":7}');
});

test("numbers are as wide as they need be", () => {
  assert.deepEqual([percent(0.005), percent(0.5), percent(0), percent(null), percent(1)], ["0.5 %", "50 %", "0 %", "–", "100 %"]);
  assert.deepEqual([perSecond(0), perSecond(12.34), perSecond(25000), perSecond(NaN)], ["0/s", "12.3/s", "25,000/s", "–"]);
  assert.deepEqual([seconds(0), seconds(3e-6), seconds(0.0021), seconds(0.25), seconds(3)], ["0", "3 µs", "2.1 ms", "250 ms", "3.0 s"]);
  assert.deepEqual([duration(5), duration(65), duration(3661)], ["0:05", "1:05", "1:01:01"]);
  assert.deepEqual([bytes(999), bytes(1500), bytes(4.3e6), bytes(2e12)], ["999 B", "1.5 kB", "4.3 MB", "2.0 TB"]);
  assert.deepEqual([value(12), value(0.123456), value(null), value(NaN)], ["12", "0.1235", "–", "–"]);
});

test("whole numbers keep all their digits", () => {
  const text = '{"a":[9007199254740993,-9223372036854775808,9007199254740991],"b":"9007199254740993, \\"12345678901234567\\\\","c":[1234567890123456.5,0.12345678901234567,12345678901234567e-3],"d":1e+21,"e":-0,"9007199254740995":null}';
  assert.deepEqual(exactly(text), { a: [9007199254740993n, -9223372036854775808n, 9007199254740991], b: '9007199254740993, "12345678901234567\\', c: [1234567890123456.5, 0.12345678901234567, 12345678901234567e-3], d: 1e21, e: -0, "9007199254740995": null });
});

test("limits are words", () => {
  const of = (min: number | null, max: number | bigint | null): string => limits({ min, max } as Setting);
  assert.deepEqual([of(0, 1), of(0, null), of(null, 9), of(null, null), of(0, 2147483647), of(0, 2n ** 63n - 1n)], ["0 to 1", "at least 0", "at most 9", "", "at least 0", "at least 0"]);
});

const books: Books = {
  received: 100, recorded: 60, rejected: 20, vetoed: 10, quarantined: 1, dropped: 2, failed: 3, in_flight: 4,
  lost: 0, damaged: 0, altered: 0, late_answers: 0, decided_by_default: 0, posted: 0, post_failed: 0, kept_unwanted: 0,
  bytes_received: 0, bytes_recorded: 0, deadtime_seconds: 0,
};

test("books balance, or say what is missing", () => {
  assert.equal(difference(books), 0);
  assert.equal(difference({ ...books, received: 103 }), 3);
});

function status(time: string, received: number, hits: number, busy: number): Status {
  return { pid: 1, host: "h", run: 1, time, events: { ...books, received }, hits: { searched: received, hits }, workers: [{ number: 0, busy_seconds: busy }] } as unknown as Status;
}

test("rates are of the time between two statuses", () => {
  const [a, b] = [status("2026-01-01T00:00:00Z", 100, 10, 1), status("2026-01-01T00:00:02Z", 300, 60, 2)];
  assert.deepEqual(sample(a, b, 2), { t: [Date.parse(b.time) / 1000], rate: [100], hitRate: [0.25], recorded: [0], busy: [[0.5]] });
  assert.ok(sameRun(a, b));
  assert.ok(!sameRun(b, a));
  assert.ok(!sameRun(a, { ...b, run: 2 }));
});

test("times of events are told to the millisecond, others to the second", () => {
  assert.match(clock(1_000_000_000.0125, 3), /^\d\d:46:40\.012$/);
  assert.match(clock(1_000_000_000.001, 3), /^\d\d:46:40\.001$/);
  assert.match(clock("2026-01-02T03:04:05.678Z"), /^\d\d:04:05$/);
  assert.equal(clock("never"), "never");
});
