import { getExactly, post } from "./api";
import { Cell } from "./cell";
import type { Reloaded, Setting, Settings } from "./protocol";

// SettingsControl knows the live settings, null where the server has none, and asks for changes.
export class SettingsControl {
  readonly settings = new Cell<Settings | null>(null);

  async refresh(): Promise<void> {
    try {
      this.settings.set(await getExactly<Settings>("v1/settings"));
    } catch {
      // what was known stays; the next status asks again when they have changed
    }
  }

  // change sends what was typed as it is: the server reads it as the setting's type, by the same rules as for all who set, and with
  // all its digits. It gives the server's warning, as that the value may be lost, and throws with its reason when the value is
  // refused; the old one stays then.
  async change({ name, type }: Pick<Setting, "name" | "type">, typed: string): Promise<string> {
    const { warning } = await post<{ warning?: string }>("v1/settings", { [name]: type === "str" ? typed : typed.trim() });
    await this.refresh();
    return warning ?? "";
  }

  // reload asks for the script as its file is now. The run tries it first, which takes as long as the script does.
  async reload(now: boolean): Promise<Reloaded> {
    return post<Reloaded>("v1/reload", { now }, 120_000);
  }
}

const largest = 2 ** 31 - 1; // of what has no limit but that of its memory

// limits says in words what a setting takes.
export function limits(s: Setting): string {
  if (s.min !== null && s.max !== null && s.max < largest) return `${s.min} to ${s.max}`;
  if (s.min !== null) return `at least ${s.min}`;
  return s.max !== null ? `at most ${s.max}` : "";
}
