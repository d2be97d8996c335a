import type { JSX } from "preact";
import { useCell } from "./cell";
import { count, percent } from "./format";
import { useModel } from "./model";
import { Panel } from "./parts";

export function Consumers(): JSX.Element {
  const frame = useCell(useModel().status);
  const all = frame?.status.consumers ?? [];
  const dropped = frame?.lag.dropped ?? 0;
  return (
    <Panel title="Consumers" name="consumers" note={dropped > 0 ? `${count(dropped)} pictures left out for this page` : `${all.length}`}>
      {all.length === 0 ? <p class="empty">nobody else watches</p> : (
        <div class="scroll" tabIndex={0} role="region" aria-label="table of consumers">
          <table>
            <thead>
              <tr>
                <th scope="col" class="text">name</th>
                <th scope="col">process</th>
                <th scope="col">got</th>
                <th scope="col">missed</th>
                <th scope="col" />
              </tr>
            </thead>
            <tbody>
              {all.map((c) => (
                <tr key={`${c.number} ${c.name} ${c.pid}`}>
                  <th scope="row" class="text">{c.name}</th>
                  <td>{c.pid}</td>
                  <td>{count(c.delivered)}</td>
                  <td>{count(c.missed)}</td>
                  {c.newest ? (
                    <td class="dim" title="it takes the newest event only, and misses the others by its own choice">takes the newest</td>
                  ) : (
                    <td class="dim">{c.delivered + c.missed > 0 ? percent(c.missed / (c.delivered + c.missed)) : "–"}</td>
                  )}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}
