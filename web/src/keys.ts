import { colourMaps } from "./colours";
import type { Model } from "./model";
import type { Picture } from "./protocol";
import { transfers } from "./scale";
import { nextTheme } from "./theme";

export interface Key {
  keys: string[]; // as KeyboardEvent.key says
  shown: string;
  says: string;
  act: (model: Model) => void;
}

function next<T>(all: readonly T[], now: T): T {
  return all[(all.indexOf(now) + 1) % all.length]!;
}

const pictures: Picture[] = ["event", "sum", "max"];
const step = 60; // CSS pixels that an arrow moves the picture

function look(change: (l: Model["preferences"]["look"]["value"]) => Partial<Model["preferences"]["look"]["value"]>): (model: Model) => void {
  return ({ preferences: { look } }) => look.set({ ...look.value, ...change(look.value) });
}

function layer(name: "peaks" | "rings" | "mask"): (model: Model) => void {
  return ({ preferences: { layers } }) => layers.set({ ...layers.value, [name]: !layers.value[name] });
}

function move(dx: number, dy: number): (model: Model) => void {
  return (model) => model.viewer?.move(dx * step, dy * step);
}

// All keys of the page; the help lists them from here.
export const keys: Key[] = [
  { keys: [" "], shown: "Space", says: "pause, go on", act: (m) => m.toggle() },
  { keys: ["ArrowLeft"], shown: "←", says: "the event before", act: (m) => m.step(-1) },
  { keys: ["ArrowRight"], shown: "→", says: "the next event", act: (m) => m.step(1) },
  { keys: ["+", "="], shown: "+", says: "zoom in", act: (m) => m.viewer?.zoom(1.25) },
  { keys: ["-"], shown: "−", says: "zoom out", act: (m) => m.viewer?.zoom(0.8) },
  { keys: ["0"], shown: "0", says: "all of the picture", act: (m) => m.viewer?.all() },
  { keys: ["1"], shown: "1", says: "one pixel of the picture on one of the screen", act: (m) => m.viewer?.exact() },
  { keys: ["w"], shown: "W", says: "move up", act: move(0, -1) },
  { keys: ["a"], shown: "A", says: "move left", act: move(-1, 0) },
  { keys: ["s"], shown: "S", says: "move down", act: move(0, 1) },
  { keys: ["d"], shown: "D", says: "move right", act: move(1, 0) },
  { keys: ["v"], shown: "V", says: "event, sum or maximum", act: (m) => m.choose(next(pictures, m.preferences.stream.value.image)) },
  { keys: ["l"], shown: "L", says: "scale: linear, log, percentile", act: look((l) => ({ transfer: next(transfers, l.transfer) })) },
  { keys: ["c"], shown: "C", says: "next colour map", act: look((l) => ({ map: next(colourMaps, l.map) })) },
  { keys: ["i"], shown: "I", says: "invert the colours", act: look((l) => ({ inverted: !l.inverted })) },
  { keys: ["p"], shown: "P", says: "peaks on, off", act: layer("peaks") },
  { keys: ["r"], shown: "R", says: "resolution rings on, off", act: layer("rings") },
  { keys: ["m"], shown: "M", says: "mask on, off", act: layer("mask") },
  { keys: ["t"], shown: "T", says: "light, dark, as the system", act: ({ preferences: { theme } }) => theme.set(nextTheme[theme.value]) },
  { keys: ["?"], shown: "?", says: "this list", act: (m) => m.help.set(!m.help.value) },
];

// listen acts on keys that nothing else wants: what is typed into a field is the field's, and a space presses a button.
export function listen(model: Model): () => void {
  const onKey = (event: KeyboardEvent): void => {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
    const target = event.target as HTMLElement;
    if (target.closest("input, select, textarea, dialog")) return;
    if (event.key === " " && target.closest("button, summary, a, label")) return;
    const key = keys.find((k) => k.keys.includes(event.key) || k.keys.includes(event.key.toLowerCase())); // with Shift or Caps Lock, too
    if (!key) return;
    event.preventDefault();
    key.act(model);
  };
  document.addEventListener("keydown", onKey);
  document.addEventListener("click", leave);
  return () => {
    document.removeEventListener("keydown", onKey);
    document.removeEventListener("click", leave);
  };
}

// leave takes the focus from a button that was clicked with a pointer, so that a space then is the page's. A key presses a button
// with a click that counts 0; the button stays where the keys are.
function leave(event: MouseEvent): void {
  const pressed = (event.target as Element).closest<HTMLElement>("button, summary");
  if (event.detail > 0 && pressed !== null && pressed === document.activeElement) pressed.blur();
}
