import assert from "node:assert/strict";
import { test } from "node:test";
import { colourMaps, colours } from "../../src/colours";
import { noPixel } from "../../src/protocol";
import { automatic, palette, position, ranks, transfers } from "../../src/scale";

const levels = { offset: -100, scale: 0.5, min: -100, max: 1000, p1: -10, p99: 200, p999: 400 };

test("every transfer rises from 0 to 1 between the limits", () => {
  for (const transfer of transfers) {
    const limits = { low: -10, high: 400 };
    assert.equal(position(-50, limits, transfer), 0);
    assert.ok(Math.abs(position(500, limits, transfer) - 1) < 1e-12);
    let before = -1;
    for (let v = -10; v <= 400; v += 10) {
      const now = position(v, limits, transfer);
      assert.ok(now > before, `${transfer} at ${v}`);
      before = now;
    }
  }
  assert.ok(position(0.001, { low: 0, high: 1 }, "log") > 0.09, "a logarithm shows what is a thousandth of the limit");
});

test("limits are those of percentiles, and never equal", () => {
  assert.deepEqual(automatic(levels), { low: -10, high: 400 });
  const flat = automatic({ ...levels, p1: 5, p999: 5 });
  assert.ok(flat.high > flat.low);
  const none = automatic({ ...levels, p1: NaN, p999: NaN });
  assert.deepEqual(none, { low: -100, high: 1000 });
});

test("ranks count the pixels between the limits", () => {
  const part = ranks(Uint16Array.from([0, 10, 10, 20, 40000, noPixel]), { ...levels, offset: 0, scale: 1 }, { low: 5, high: 100 });
  assert.equal(part[5], 0);
  assert.ok(Math.abs(part[10]! - 2 / 3) < 1e-6);
  assert.equal(part[20], 1);
  assert.equal(part[40000], 1);
});

test("a palette has the colours of the map, and none where there is no pixel", () => {
  for (const map of colourMaps) {
    for (const inverted of [false, true]) {
      const look = { map, inverted, transfer: "linear" as const, limits: { low: 0, high: 100 } };
      const out = palette(new Uint16Array(1), levels, look);
      const table = colours(map, inverted);
      assert.deepEqual([...out.subarray(0, 4)], [...table.subarray(0, 3), 255], map);
      assert.deepEqual([...out.subarray(4 * 60000, 4 * 60000 + 3)], [...table.subarray(3 * 255)], map);
      assert.equal(out[4 * noPixel + 3], 0);
    }
  }
});

test("inverted colours are the others in turn", () => {
  const plain = colours("grey", false);
  assert.deepEqual([plain[0], plain[3 * 255]], [0, 255]);
  assert.deepEqual([...colours("grey", true)], [...plain].reverse());
});
