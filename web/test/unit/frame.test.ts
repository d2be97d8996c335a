import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameError, FrameReader, kinds, maxFrameBytes, parseImage, parseJSON, parseMask } from "../../src/frame";

const text = new TextEncoder();

function frame(kind: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(5 + payload.length);
  new DataView(bytes.buffer).setUint32(0, payload.length + 1, true);
  bytes[4] = kind;
  bytes.set(payload, 5);
  return bytes;
}

function joined(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

function image(head: unknown, pixels: Uint8Array): Uint8Array {
  const written = text.encode(JSON.stringify(head));
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, written.length, true);
  return joined(length, written, pixels);
}

const stream = joined(frame(kinds.status, text.encode('{"a":1}')), frame(kinds.end, new Uint8Array()), frame(kinds.events, text.encode('{"events":[]}')));

test("frames are the same however the stream is cut", () => {
  for (let size = 1; size <= stream.length; size++) {
    const reader = new FrameReader();
    const got = [];
    for (let at = 0; at < stream.length; at += size) got.push(...reader.push(stream.subarray(at, at + size)));
    assert.deepEqual(got.map((f) => f.kind), [kinds.status, kinds.end, kinds.events], `in pieces of ${size}`);
    assert.deepEqual(got.map((f) => f.payload.length), [7, 0, 13]);
    assert.deepEqual(parseJSON(got[0]!.payload), { a: 1 });
    assert.equal(reader.pending, false);
  }
});

test("a frame tells how it came", () => {
  const bytes = joined(frame(kinds.events, new Uint8Array(99)), frame(kinds.image, new Uint8Array(999)), frame(kinds.log, new Uint8Array(9)));
  const reader = new FrameReader();
  assert.deepEqual(reader.push(bytes.subarray(0, 107), 5).map((f) => f.passage), [{ size: 100, later: 0, seconds: 0 }]); // and a part of a head
  assert.equal(reader.underway(6), null);
  assert.deepEqual(reader.push(bytes.subarray(107, 409), 7), []);
  assert.deepEqual(reader.underway(9), { kind: kinds.image, passage: { size: 1000, later: 0, seconds: 2 } });
  reader.push(bytes.subarray(409, 609), 8);
  assert.deepEqual(reader.underway(9)?.passage, { size: 1000, later: 200, seconds: 2 });
  assert.deepEqual(reader.push(bytes.subarray(609), 9).map((f) => f.passage), [{ size: 1000, later: 699, seconds: 2 }, { size: 10, later: 0, seconds: 0 }]);
});

test("a stream that ends within a frame is pending", () => {
  for (let end = 1; end < 12; end++) {
    const reader = new FrameReader();
    assert.deepEqual(reader.push(stream.subarray(0, end)), []);
    assert.equal(reader.pending, true, `after ${end} bytes`);
  }
});

test("a frame that is too long is refused before there is room made for it", () => {
  for (const length of [0, maxFrameBytes + 1, 0xffffffff]) {
    const head = new Uint8Array(4);
    new DataView(head.buffer).setUint32(0, length, true);
    assert.throws(() => new FrameReader().push(head), FrameError, String(length));
  }
});

test("garbage is refused, or a frame of a kind that nobody knows", () => {
  let seed = 7;
  const chance = (): number => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) >>> 16;
  for (let round = 0; round < 2000; round++) {
    const bytes = Uint8Array.from({ length: 1 + (chance() % 64) }, () => chance() & 255);
    try {
      for (const { payload } of new FrameReader().push(bytes)) {
        for (const parse of [parseJSON, parseImage, parseMask]) {
          try {
            parse(payload);
          } catch (err) {
            assert.ok(err instanceof FrameError, String(err));
          }
        }
      }
    } catch (err) {
      assert.ok(err instanceof FrameError, String(err));
    }
  }
});

test("pixels are little-endian, wherever they lie", () => {
  for (const pad of ["", "a", "ab", "abc"]) {
    const { head, pixels } = parseImage<{ rows: number; cols: number; pad: string }>(image({ rows: 1, cols: 3, pad }, new Uint8Array([1, 0, 0, 2, 255, 255])));
    assert.equal(head.pad, pad);
    assert.deepEqual([...pixels], [1, 512, 65535]);
  }
  assert.deepEqual([...parseMask(image({ rows: 2, cols: 2 }, new Uint8Array([0, 1, 2, 0]))).pixels], [0, 1, 2, 0]);
});

test("an image whose head and pixels disagree is refused", () => {
  const pixels = new Uint8Array(8);
  const bad = [
    image({ rows: 2, cols: 3 }, pixels),
    image({ rows: -2, cols: -2 }, pixels),
    image({ rows: 1.5, cols: 2 }, pixels),
    image({ rows: "2", cols: 2 }, pixels),
    image({}, pixels),
    image(null, pixels),
    image({ rows: 2, cols: 2 }, pixels).subarray(0, 20),
    new Uint8Array([1, 2]),
    joined(new Uint8Array([255, 255, 255, 255]), pixels),
    joined(new Uint8Array([2, 0, 0, 0]), text.encode("{]"), pixels),
    joined(new Uint8Array([2, 0, 0, 0, 0xff, 0xfe]), pixels),
  ];
  for (const [i, payload] of bad.entries()) assert.throws(() => parseImage(payload), FrameError, `no. ${i}`);
});
