import { Cell } from "./cell";
import type { Picture } from "./protocol";
import type { Look } from "./scale";

export interface StreamChoice {
  image: Picture;
  bin: number; // 0 is as the screen needs
  rate: number; // pictures per second
  hits: boolean;
}

export interface Layers {
  peaks: boolean;
  rings: boolean;
  mask: boolean;
}

export type Theme = "system" | "light" | "dark";

// Preferences are the user's, not the run's: they are kept in this browser, where it allows that.
export class Preferences {
  readonly look = kept<Look>("look", { map: "viridis", inverted: false, transfer: "log", limits: null });
  readonly layers = kept<Layers>("layers", { peaks: true, rings: true, mask: false });
  readonly stream = kept<StreamChoice>("stream", { image: "event", bin: 0, rate: 10, hits: false });
  readonly theme = kept<Theme>("theme", "system");
  readonly span = kept("span", 600); // seconds that the strips show
}

function kept<T>(name: string, first: T): Cell<T> {
  const cell = new Cell(read(name, first));
  cell.listen((value) => {
    try {
      localStorage.setItem("drp." + name, JSON.stringify(value));
    } catch {
      // it holds until the page is closed
    }
  });
  return cell;
}

// read takes what was kept only where it still has the form of today.
function read<T>(name: string, first: T): T {
  try {
    const value = JSON.parse(localStorage.getItem("drp." + name) ?? "null") as T | null;
    if (value === null || typeof value !== typeof first) return first;
    if (typeof first !== "object") return value;
    const same = Object.keys(first as object).sort().join() === Object.keys(value as object).sort().join();
    return same ? value : first;
  } catch {
    return first;
  }
}
