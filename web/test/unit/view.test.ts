import assert from "node:assert/strict";
import { test } from "node:test";
import { seen } from "../../src/overlay";
import { binFor, fit, moved, toPicture, toScreen, zoomed } from "../../src/view";

const picture = { width: 1000, height: 500 };
const screen = { width: 400, height: 400 };

test("all of the picture fits, in the middle", () => {
  const view = fit(picture, screen);
  assert.deepEqual(toScreen({ x: 0, y: 0 }, view, screen), { x: 0, y: 100 });
  assert.deepEqual(toScreen({ x: 1000, y: 500 }, view, screen), { x: 400, y: 300 });
});

test("the way to the screen and back is none", () => {
  const view = { x: 123.5, y: 77, zoom: 3.7 };
  const there = toPicture(toScreen({ x: 10, y: 20 }, view, screen), view, screen);
  assert.ok(Math.abs(there.x - 10) < 1e-9 && Math.abs(there.y - 20) < 1e-9);
});

test("zooming keeps what lies under the cursor", () => {
  const at = { x: 150, y: 210 };
  const before = fit(picture, screen);
  const after = zoomed(before, 5, at, picture, screen);
  const [a, b] = [toPicture(at, before, screen), toPicture(at, after, screen)];
  assert.ok(Math.abs(a.x - b.x) < 1e-9 && Math.abs(a.y - b.y) < 1e-9);
  assert.equal(zoomed(before, 1e9, at, picture, screen).zoom, 64);
  assert.ok(zoomed(before, 1e-9, at, picture, screen).zoom >= before.zoom / 2);
});

test("the picture cannot be lost", () => {
  assert.deepEqual(moved(fit(picture, screen), 1e9, -1e9, picture), { x: 1000, y: 0, zoom: 0.4 });
});

test("a bin has a pixel for each of the screen", () => {
  assert.equal(binFor(1, 1), 1);
  assert.equal(binFor(0.5, 1), 2);
  assert.equal(binFor(0.5, 2), 1);
  assert.equal(binFor(0.3, 1), 2);
  assert.equal(binFor(0.25, 1), 4);
  assert.equal(binFor(0.05, 1), 8);
});

test("the label of a ring is where it can be read", () => {
  const screen = { width: 600, height: 400 };
  const middle = { x: 300, y: 200 };
  assert.deepEqual(seen(middle, 100, screen), { x: 300, y: 96 });
  for (const [at, r] of [[middle, 198], [middle, 290], [middle, 330], [{ x: 10, y: 390 }, 200], [{ x: -200, y: 200 }, 500]] as const) {
    const p = seen(at, r, screen)!;
    assert.ok(p.x > 20 && p.x < 580 && p.y > 10 && p.y < 400, `${JSON.stringify(at)}, ${r}: ${JSON.stringify(p)}`);
    assert.ok(Math.abs(Math.hypot(p.x - at.x, p.y + 4 - at.y) - r) < 1e-6);
  }
  assert.equal(seen(middle, 1000, screen), null);
});
