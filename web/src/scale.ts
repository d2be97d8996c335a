import { type ColourMap, colours } from "./colours";
import { noPixel } from "./protocol";

export type Transfer = "linear" | "log" | "percentile";
export const transfers: Transfer[] = ["linear", "log", "percentile"];

export interface Limits {
  low: number;
  high: number;
}

// What of a head a scale needs.
export interface Levels {
  offset: number;
  scale: number;
  min: number;
  max: number;
  p1: number;
  p99: number;
  p999: number;
}

// Colours is how values become colours.
export interface Look {
  map: ColourMap;
  inverted: boolean;
  transfer: Transfer;
  limits: Limits | null; // by hand; null is by percentile
}

// automatic limits leave out what few pixels have. A picture of equal pixels gets a width all the same.
export function automatic(levels: Levels): Limits {
  const low = Number.isFinite(levels.p1) ? levels.p1 : levels.min;
  const high = Number.isFinite(levels.p999) ? levels.p999 : levels.max;
  return high > low ? { low, high } : { low, high: low + Math.max(Math.abs(low) * 1e-3, levels.scale, 1e-6) };
}

// position gives where a value lies between the limits, 0 to 1. Logarithms are of the distance from the lower limit, so that
// pixels about zero, and negative ones, have their place too: 0 at the limit, the rest over three decades.
export function position(value: number, { low, high }: Limits, transfer: Transfer): number {
  const part = Math.min(Math.max((value - low) / (high - low), 0), 1);
  return transfer === "log" ? Math.log1p(999 * part) / Math.log(1000) : part;
}

// ranks give for each 16-bit level the part of pixels between the limits that do not lie above it.
export function ranks(pixels: Uint16Array, levels: Levels, limits: Limits): Float32Array {
  const counts = new Uint32Array(65536);
  for (let i = 0; i < pixels.length; i++) counts[pixels[i]!]!++;
  const part = new Float32Array(65536);
  let below = 0;
  for (let level = 0; level < noPixel; level++) {
    const value = levels.offset + levels.scale * level;
    if (value >= limits.low && value <= limits.high) below += counts[level]!;
    part[level] = below;
  }
  const all = Math.max(below, 1);
  for (let level = 0; level < noPixel; level++) part[level] = part[level]! / all;
  return part;
}

// palette gives the colour of each of the 65536 levels, 4 bytes each. Where there is no pixel nothing is drawn.
export function palette(pixels: Uint16Array, levels: Levels, look: Look): Uint8Array {
  const limits = look.limits ?? automatic(levels);
  const table = colours(look.map, look.inverted);
  const byRank = look.transfer === "percentile" ? ranks(pixels, levels, limits) : null;
  const out = new Uint8Array(4 * 65536);
  for (let level = 0; level < noPixel; level++) {
    const at = byRank ? byRank[level]! : position(levels.offset + levels.scale * level, limits, look.transfer);
    const colour = 3 * Math.round(255 * at);
    out[4 * level] = table[colour]!;
    out[4 * level + 1] = table[colour + 1]!;
    out[4 * level + 2] = table[colour + 2]!;
    out[4 * level + 3] = 255;
  }
  return out;
}
