// Colour maps: a few colours of each, between which the rest lies. All but grey are even to the eye, or nearly so, and cividis
// also to eyes that do not tell red from green.
const anchors = {
  viridis: "440154 482878 3e4989 31688e 26828e 1f9e89 35b779 6ece58 b5de2b fde725",
  inferno: "000004 1b0c41 4a0c6b 781c6d a52c60 cf4446 ed6925 fb9b06 f7d13d fcffa4",
  cividis: "00224e 123570 3b496c 575d6d 707173 8a8678 a59c74 c3b369 e1cc55 fee838",
  turbo: "30123b 4145ab 4675ed 39a2fc 1bcfd4 24eca6 61fc6c a4fc3b d1e834 f3c63a fe9b2d f36315 d93806 b11901 7a0402",
  grey: "000000 ffffff",
} as const;

export type ColourMap = keyof typeof anchors;
export const colourMaps = Object.keys(anchors) as ColourMap[];

const steps = 256;

// colours gives 256 colours, 3 bytes each.
export function colours(map: ColourMap, inverted: boolean): Uint8Array {
  const from = anchors[map].split(" ").map((hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  const table = new Uint8Array(3 * steps);
  for (let i = 0; i < steps; i++) {
    const place = ((inverted ? steps - 1 - i : i) / (steps - 1)) * (from.length - 1);
    const low = Math.min(Math.floor(place), from.length - 2);
    for (let c = 0; c < 3; c++) {
      const a = from[low]![c]!;
      const b = from[low + 1]![c]!;
      table[3 * i + c] = Math.round(a + (place - low) * (b - a));
    }
  }
  return table;
}
