import { inflateSync } from "node:zlib";

// A picture of the screen, as the browser's screenshots are: 8 bits, RGB or RGBA, not interlaced.
export interface Screen {
  width: number;
  height: number;
  at: (x: number, y: number) => [number, number, number];
}

export function decode(png: Buffer): Screen {
  const chunks: Buffer[] = [];
  let [width, height, channels] = [0, 0, 0];
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    const type = png.toString("latin1", at + 4, at + 8);
    const body = png.subarray(at + 8, at + 8 + length);
    if (type === "IHDR") {
      [width, height] = [body.readUInt32BE(0), body.readUInt32BE(4)];
      channels = body[9] === 6 ? 4 : 3;
      if (body[8] !== 8 || (body[9] !== 6 && body[9] !== 2) || body[12] !== 0) throw new Error("another kind of PNG than a browser writes");
    } else if (type === "IDAT") chunks.push(body);
    at += 12 + length;
  }
  const pixels = unfilter(inflateSync(Buffer.concat(chunks)), width * channels, height, channels);
  return {
    width,
    height,
    at: (x, y) => {
      if (x < 0 || y < 0 || x >= width || y >= height) throw new Error(`${x}, ${y} is outside of the screen`);
      const i = (Math.floor(y) * width + Math.floor(x)) * channels;
      return [pixels[i]!, pixels[i + 1]!, pixels[i + 2]!];
    },
  };
}

function unfilter(lines: Buffer, stride: number, height: number, channels: number): Uint8Array {
  const out = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = lines[y * (stride + 1)]!;
    for (let x = 0; x < stride; x++) {
      const here = y * stride + x;
      const left = x >= channels ? out[here - channels]! : 0;
      const above = y > 0 ? out[here - stride]! : 0;
      const corner = x >= channels && y > 0 ? out[here - stride - channels]! : 0;
      const add = [0, left, above, (left + above) >> 1, paeth(left, above, corner)][filter]!;
      out[here] = lines[y * (stride + 1) + 1 + x]! + add;
    }
  }
  return out;
}

function paeth(a: number, b: number, c: number): number {
  const [pa, pb, pc] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
  return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}
