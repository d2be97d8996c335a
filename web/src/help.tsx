import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { useCell } from "./cell";
import { keys } from "./keys";
import { useModel } from "./model";

export function Help(): JSX.Element {
  const model = useModel();
  const open = useCell(model.help);
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (open && !dialog.current?.open) dialog.current?.showModal();
    if (!open) dialog.current?.close();
  }, [open]);
  return (
    <dialog ref={dialog} aria-labelledby="help-title" onClose={() => model.help.set(false)} onClick={(e) => e.target === dialog.current && model.help.set(false)}>
      <header>
        <h2 id="help-title">Keys</h2>
        <button type="button" onClick={() => model.help.set(false)}>
          close
        </button>
      </header>
      <dl class="keys">
        {keys.map((key) => (
          <div key={key.shown}>
            <dt>
              <kbd>{key.shown}</kbd>
            </dt>
            <dd>{key.says}</dd>
          </div>
        ))}
        <div>
          <dt>
            <kbd>↑</kbd> <kbd>↓</kbd>
          </dt>
          <dd>in the list of events: the next event, the one before</dd>
        </div>
      </dl>
      <p class="dim">With the mouse: the wheel zooms, dragging moves, a double click shows all. In a replay that may be steered, Space and the arrows move the replay.</p>
      <p class="dim">
        <a href="LICENSES.txt">licences</a> of what this page is made of
      </p>
    </dialog>
  );
}
