import { getJSON, post } from "./api";
import { Cell } from "./cell";
import type { Setting, Settings, Value } from "./protocol";

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

  async reload(): Promise<string> {
    return (await post<{ sha256?: string }>("v1/reload", {})).sha256 ?? "";
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

// limits says in words what a setting takes.
export function limits(s: Setting): string {
  if (s.min !== null && s.max !== null) return `${s.min} to ${s.max}`;
  if (s.min !== null) return `at least ${s.min}`;
  return s.max !== null ? `at most ${s.max}` : "";
}
