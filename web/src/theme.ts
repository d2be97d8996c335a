import type { Cell } from "./cell";
import type { Theme } from "./preferences";

// applyTheme puts the choice where the style sheet sees it; without one the system's preference counts.
export function applyTheme(theme: Cell<Theme>): void {
  const apply = (value: Theme): void => {
    if (value === "system") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = value;
  };
  apply(theme.value);
  theme.listen(apply);
}

export const nextTheme: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };

// colour reads a colour of the style sheet, for what is drawn on a canvas: one that the theme has been chosen for, which only
// the style of an element tells.
export function colour(name: string): string {
  const probe = document.createElement("i");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
