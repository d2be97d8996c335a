import assert from "node:assert/strict";
import { test } from "node:test";
import { joined, Kept, noFilter, passes, type Shown } from "../../src/kept";
import type { EventRow } from "../../src/protocol";

function image(number: number, bin = 1, pixels = 100): Shown {
  return { head: { number, bin, rows: 1, cols: pixels } as Shown["head"], pixels: new Uint16Array(pixels) };
}

function row(number: number, flags: EventRow["flags"] = [], npeaks = 0): EventRow {
  return { number, pulse: "1", timestamp: 0, hit: flags?.includes("hit") ?? null, npeaks, flags, reason: "" };
}

test("pictures are bounded in number and in bytes, and the oldest go first", () => {
  const few = new Kept(3, 1 << 20);
  for (const n of [1, 2, 3, 4]) few.add(image(n));
  assert.deepEqual(few.rows().map((r) => r.number), [2, 3, 4]);
  const small = new Kept(100, 500);
  for (const n of [1, 2, 3]) small.add(image(n));
  assert.deepEqual(small.rows().map((r) => r.number), [2, 3]);
  small.add(image(9, 1, 1000)); // one that is larger than all room is kept alone
  assert.deepEqual(small.rows().map((r) => r.number), [9]);
});

test("of two pictures of an event the finer one stays", () => {
  const kept = new Kept();
  kept.add(image(1, 4));
  kept.add(image(1, 2));
  kept.add(image(1, 8));
  assert.equal(kept.get(1)?.head.bin, 2);
});

test("a filter of several kinds takes those of any", () => {
  assert.ok(passes(row(1), noFilter));
  assert.ok(!passes(row(1), { ...noFilter, hits: true }));
  assert.ok(passes(row(1, ["hit"]), { ...noFilter, hits: true, damaged: true }));
  assert.ok(passes(row(1, ["damaged"]), { ...noFilter, hits: true, damaged: true }));
  assert.ok(!passes(row(1, ["rejected"]), { ...noFilter, vetoed: true }));
  assert.ok(!passes(row(1, ["hit"], 3), { ...noFilter, hits: true, peaks: 4 }));
  assert.ok(passes(row(1, null, 4), { ...noFilter, peaks: 4 }));
});

test("rows are joined by number, the newest are kept", () => {
  const rows = joined([row(1), row(2)], [row(2, ["hit"]), row(5), row(3)], 3);
  assert.deepEqual(rows.map((r) => r.number), [2, 3, 5]);
  assert.deepEqual(rows[0]!.flags, ["hit"]);
});
