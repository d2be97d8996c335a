import type { JSX } from "preact";
import { useCell } from "./cell";
import { clock } from "./format";
import { useModel } from "./model";
import { Panel } from "./parts";

// Log has the newest line first: it is read from the top.
export function Log(): JSX.Element {
  const model = useModel();
  const lines = useCell(model.lines);
  const failures = useCell(model.status)?.status.failures ?? [];
  return (
    <Panel title="Damage and errors" name="log" note={`${lines.length + failures.length}`}>
      <div class="scroll" tabIndex={0} role="log" aria-label="damage and errors">
        {failures.length + lines.length === 0 && <p class="empty">none</p>}
        <ul>
          {failures.map((text) => (
            <li key={text} class="error">
              <span class="dim">script</span> <span>{text}</span>
            </li>
          ))}
          {[...lines].reverse().map((line, i) => (
            <li key={lines.length - i} class={line.level.toLowerCase().startsWith("err") ? "error" : ""}>
              <time class="num dim" dateTime={line.time}>{clock(line.time)}</time> <span class="level">{line.level.toLowerCase()}</span> <span>{line.text}</span>
            </li>
          ))}
        </ul>
      </div>
    </Panel>
  );
}
