import type { ComponentChildren, JSX } from "preact";
import { useId } from "preact/hooks";

// Parts of which all panels are made.

export function Panel(props: { title: string; name: string; note?: ComponentChildren; children: ComponentChildren }): JSX.Element {
  const id = useId();
  return (
    <section class={`panel ${props.name}`} aria-labelledby={id}>
      <header>
        <h2 id={id}>{props.title}</h2>
        {props.note !== undefined && <div class="note">{props.note}</div>}
      </header>
      {props.children}
    </section>
  );
}

export function Toggle(props: { on: boolean; set: (on: boolean) => void; children: ComponentChildren; title?: string; disabled?: boolean }): JSX.Element {
  return (
    <button type="button" class="toggle" aria-pressed={props.on} title={props.title} disabled={props.disabled} onClick={() => props.set(!props.on)}>
      {props.children}
    </button>
  );
}

// Choice is a row of buttons of which one is pressed.
export function Choice<T extends string | number>(props: { label: string; all: readonly T[]; value: T; set: (value: T) => void; text?: (value: T) => string }): JSX.Element {
  return (
    <div class="choice" role="group" aria-label={props.label}>
      {props.all.map((value) => (
        <button type="button" key={value} aria-pressed={value === props.value} onClick={() => props.set(value)}>
          {props.text ? props.text(value) : String(value)}
        </button>
      ))}
    </div>
  );
}

export function Pick<T extends string | number>(props: { label: string; all: readonly T[]; value: T; set: (value: T) => void; text?: (value: T) => string }): JSX.Element {
  const id = useId();
  return (
    <span class="field">
      <label for={id}>{props.label}</label>
      <select id={id} value={String(props.value)} onChange={(e) => props.set(props.all[e.currentTarget.selectedIndex]!)}>
        {props.all.map((value) => (
          <option key={value} value={String(value)}>
            {props.text ? props.text(value) : String(value)}
          </option>
        ))}
      </select>
    </span>
  );
}

// A Badge says a state in a word; its kind gives the colour, which never says anything alone.
export function Badge(props: { kind: "good" | "busy" | "warn" | "bad" | "plain"; children: ComponentChildren; title?: string }): JSX.Element {
  return (
    <span class={`badge ${props.kind}`} title={props.title}>
      {props.children}
    </span>
  );
}
