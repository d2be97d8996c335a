import type { JSX } from "preact";
import { useCell } from "./cell";
import { count, percent } from "./format";
import { useModel } from "./model";
import { Badge, Panel } from "./parts";
import type { Books as Counts } from "./protocol";

const outcomes: [keyof Counts, string][] = [
  ["recorded", "recorded"],
  ["rejected", "rejected by the script"],
  ["vetoed", "vetoed by the trigger"],
  ["quarantined", "quarantined"],
  ["dropped", "dropped"],
  ["failed", "not recorded: failed"],
  ["in_flight", "under way"],
];

const remarks: [keyof Counts, string][] = [
  ["lost", "lost"],
  ["damaged", "recorded with damage"],
  ["altered", "altered in memory"],
  ["late_answers", "late answers"],
  ["decided_by_default", "decided by default"],
  ["post_failed", "second script failed"],
  ["kept_unwanted", "kept unwanted"],
];

// difference is what the books do not explain: 0 where each event has one outcome.
export function difference(e: Counts): number {
  return e.received - outcomes.reduce((sum, [key]) => sum + e[key], 0);
}

// Books is the run as a balance: what came in on one side, what became of it on the other.
export function Books(): JSX.Element {
  const frame = useCell(useModel().status);
  if (frame?.replay && !frame.replay.recorded) return <Panel title="Books" name="books"><p class="empty">no status was recorded beside the files</p></Panel>;
  const e = frame?.status.events;
  if (!e) return <Panel title="Books" name="books"><p class="empty">no status yet</p></Panel>;
  const open = difference(e);
  return (
    <Panel title="Books" name="books" note={open === 0 ? <Badge kind="good">balanced</Badge> : <Badge kind="bad">{count(open)} without an outcome</Badge>}>
      <table>
        <tbody>
          <tr class="sum">
            <th scope="row" class="text">received</th>
            <td>{count(e.received)}</td>
            <td />
          </tr>
          {outcomes.map(([key, name]) => (
            <tr key={key} class={e[key] === 0 ? "none" : ""}>
              <th scope="row" class="text">{name}</th>
              <td>{count(e[key])}</td>
              <td>{e.received > 0 ? percent(e[key] / e.received) : "–"}</td>
            </tr>
          ))}
        </tbody>
        <tbody>
          {remarks.map(([key, name]) => (
            <tr key={key} class={e[key] === 0 ? "none" : "notable"}>
              <th scope="row" class="text">{name}</th>
              <td>{count(e[key])}</td>
              <td />
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}
