// The stream of the server is a row of frames:
//
//   +-------------+--------+-----------------+
//   | u32 length  | u8     | payload         |      length counts kind and payload; little-endian
//   | of the rest | kind   | length - 1      |
//   +-------------+--------+-----------------+
//
// The payload of an image is a JSON head behind its own u32 length, and the pixels.

export const kinds = { status: 1, image: 2, events: 3, log: 4, end: 5 } as const;

// Four megapixels of 16 bits and a head; what claims more is not a frame.
export const maxFrameBytes = 64 << 20;

// Passage is how a frame came: of its bytes, some came later than its first ones, in so many seconds.
export interface Passage {
  size: number;
  later: number;
  seconds: number;
}

const atOnce = 0.002; // seconds of a frame that came in one piece, of which nothing else is known

export function passageSeconds(p: Passage): number {
  return Math.max(p.seconds, atOnce);
}

export interface Frame {
  kind: number;
  payload: Uint8Array;
  passage: Passage;
}

export class FrameError extends Error {}

// A FrameReader cuts a stream of bytes, however it was cut on its way, into frames.
export class FrameReader {
  private readonly head = new Uint8Array(4);
  private headBytes = 0;
  private body: Uint8Array | null = null; // of the frame that is under way
  private bodyBytes = 0;
  private first = { bytes: 0, at: 0 }; // of the body, and when

  // push returns the frames that these bytes complete, which came at a time in seconds. It throws a FrameError when they make no sense; the reader is of no use then.
  push(bytes: Uint8Array, now = 0): Frame[] {
    const frames: Frame[] = [];
    let at = 0;
    while (at < bytes.length) {
      if (this.body === null) {
        at += this.takeHead(bytes.subarray(at));
        continue;
      }
      const part = bytes.subarray(at, at + this.body.length - this.bodyBytes);
      if (this.bodyBytes === 0) this.first = { bytes: part.length, at: now };
      this.body.set(part, this.bodyBytes);
      this.bodyBytes += part.length;
      at += part.length;
      if (this.bodyBytes === this.body.length) {
        frames.push({ kind: this.body[0]!, payload: this.body.subarray(1), passage: this.passage(this.body, now) });
        this.body = null;
        this.headBytes = 0;
      }
    }
    return frames;
  }

  // pending tells whether the stream ends within a frame.
  get pending(): boolean {
    return this.headBytes > 0;
  }

  // underway is the frame of which a part has come, and how it comes.
  underway(now: number): { kind: number; passage: Passage } | null {
    return this.body === null || this.bodyBytes === 0 ? null : { kind: this.body[0]!, passage: this.passage(this.body, now) };
  }

  private passage(body: Uint8Array, now: number): Passage {
    return { size: body.length, later: this.bodyBytes - this.first.bytes, seconds: now - this.first.at };
  }

  private takeHead(bytes: Uint8Array): number {
    const part = bytes.subarray(0, 4 - this.headBytes);
    this.head.set(part, this.headBytes);
    this.headBytes += part.length;
    if (this.headBytes === 4) {
      const length = new DataView(this.head.buffer).getUint32(0, true);
      if (length === 0 || length > maxFrameBytes) {
        throw new FrameError(`a frame of ${length} bytes: 1 to ${maxFrameBytes} make sense`);
      }
      this.body = new Uint8Array(length);
      this.bodyBytes = 0;
    }
    return part.length;
  }
}

export function parseJSON<T>(payload: Uint8Array): T {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload)) as T;
  } catch (err) {
    throw new FrameError(`a frame is no JSON: ${(err as Error).message}`);
  }
}

// What stands before pixels; the rest of a head is for those who use it.
export interface Shape {
  rows: number;
  cols: number;
}

export interface Pixels<H extends Shape, A> {
  head: H;
  pixels: A;
}

function split<H extends Shape>(payload: Uint8Array, pixelBytes: number): { head: H; body: Uint8Array } {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const length = payload.length < 4 ? Infinity : view.getUint32(0, true);
  if (length > payload.length - 4) throw new FrameError("the head of an image is cut");
  const head = parseJSON<H>(payload.subarray(4, 4 + length));
  const body = payload.subarray(4 + length);
  const { rows, cols } = head ?? {};
  const whole = Number.isInteger(rows) && Number.isInteger(cols) && rows >= 0 && cols >= 0;
  if (!whole || body.length !== rows * cols * pixelBytes) {
    throw new FrameError(`an image of ${rows} x ${cols} pixels has ${body.length} bytes`);
  }
  return { head, body };
}

// parseImage gives 16-bit pixels in an array of their own: in the frame they may lie at an odd place.
export function parseImage<H extends Shape>(payload: Uint8Array): Pixels<H, Uint16Array> {
  const { head, body } = split<H>(payload, 2);
  return { head, pixels: new Uint16Array(body.slice().buffer) };
}

export function parseMask<H extends Shape>(payload: Uint8Array): Pixels<H, Uint8Array> {
  const { head, body } = split<H>(payload, 1);
  return { head, pixels: body };
}
