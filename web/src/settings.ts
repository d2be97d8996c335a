import { getJSON, post } from "./api";
import { Cell } from "./cell";
import type { Reloaded, Setting, Settings, Value } from "./protocol";

// SettingsControl knows the live settings, null where the server has none, and asks for changes.
export class SettingsControl {
  readonly settings = new Cell<Settings | null>(null);

  async refresh(): Promise<void> {
    try {
      this.settings.set(await getJSON<Settings>("v1/settings"));
    } catch {
      // what was known stays; the next status asks again when they have changed
    }
  }

  // change throws with the server's reason when the value is refused; the old one stays then.
  async change(name: string, value: Value): Promise<void> {
    await post("v1/settings", { [name]: value });
    await this.refresh();
  }

  // reload asks for the script as its file is now. The run tries it first, which takes as long as the script does.
  async reload(now: boolean): Promise<Reloaded> {
    return post<Reloaded>("v1/reload", { now }, 120_000);
  }
}

// parseValue makes of what was typed a value of the setting's type. Limits are the server's to judge: it knows the reasons.
export function parseValue(setting: Pick<Setting, "type" | "name">, text: string): Value {
  const typed = text.trim();
  switch (setting.type) {
    case "bool":
      return typed === "true";
    case "int":
      if (!/^[+-]?\d+$/.test(typed)) throw new Error(`${setting.name}: ${JSON.stringify(typed)} is no whole number`);
      return Number(typed);
    case "float":
      if (typed === "" || Number.isNaN(Number(typed))) throw new Error(`${setting.name}: ${JSON.stringify(typed)} is no number`);
      return Number(typed);
    default:
      return text;
  }
}

const largest = 2 ** 31 - 1; // of what has no limit but that of its memory

// limits says in words what a setting takes.
export function limits(s: Setting): string {
  if (s.min !== null && s.max !== null && s.max < largest) return `${s.min} to ${s.max}`;
  if (s.min !== null) return `at least ${s.min}`;
  return s.max !== null ? `at most ${s.max}` : "";
}
