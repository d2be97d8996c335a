import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { useCell } from "./cell";
import { bytes, duration } from "./format";
import { useModel } from "./model";
import { Badge } from "./parts";
import type { StatusFrame } from "./protocol";
import { nextTheme } from "./theme";

const stateKinds: Record<string, "good" | "busy" | "bad" | "plain"> = { enabled: "good", ended: "plain", lost: "bad", unconfigured: "plain" };

export function Header(): JSX.Element {
  const model = useModel();
  const frame = useCell(model.status);
  const replay = useCell(model.replay.state);
  const theme = useCell(model.preferences.theme);
  const past = useCell(model.link).state !== "open"; // nothing on the page is of now, also while it is tried again
  const s = frame?.status;
  const generation = frame?.settings_generation ?? s?.settings?.generation;
  return (
    <header class="top">
      <h1>drp</h1>
      {s && (
        <>
          <span class="run">
            <b>{[s.experiment, s.run > 0 ? `r${String(s.run).padStart(4, "0")}` : ""].filter(Boolean).join(" ") || "run"}</b>
            {s.partition && <span>{s.partition}</span>}
          </span>
          <Badge kind={past ? "plain" : (stateKinds[s.state] ?? "busy")} title={s.transition ? `last transition: ${s.transition}` : undefined!}>
            {past && s.state !== "ended" ? "was " : ""}
            {replay ? "replay" : s.state}
          </Badge>
          <span class="what" title={`${s.source} → ${s.script}`}>
            {s.source} → {s.script || "no script"}
          </span>
          <span class="facts">
            <span title="since the run began">{duration(s.seconds)}</span>
            <span title={s.calibration.published || "generation of the constants that are used"}>
              {s.calibration.generation > 0 ? `constants ${s.calibration.generation}` : "no constants"}
            </span>
            {generation !== undefined && (!replay || generation > 0) && <span title="generation of the live settings">settings {generation}</span>}
          </span>
        </>
      )}
      <span class="right">
        <LinkBadge />
        {frame && (
          <Badge kind="plain" title={rightsTitle(frame)}>
            {frame.rights.control ? "steering" : "watching"}
          </Badge>
        )}
        <button type="button" onClick={() => model.preferences.theme.set(nextTheme[theme])} title="light, dark, or as the system (T)">
          {theme === "system" ? "auto" : theme}
        </button>
        <button type="button" aria-label="keys" title="keys (?)" onClick={() => model.help.set(true)}>
          ?
        </button>
      </span>
    </header>
  );
}

// LinkBadge says whether what is shown is of now, and why not.
function LinkBadge(): JSX.Element {
  const model = useModel();
  const link = useCell(model.link);
  const ended = useCell(model.ended);
  const paused = useCell(model.paused);
  const slow = useCell(model.slow);
  const left = useLeft(link.state === "lost" ? link.retry : 0);
  const replay = useCell(model.replay.state);
  const state = useCell(model.status)?.status.state; // of a run of another process, which may be gone while its page is there
  const scarce = useCell(model.status)?.lag.scarce ?? false;
  let badge = (
    <>
      <Badge kind="good">{replay ? "connected" : "live"}</Badge>
      {scarce && (
        <Badge kind="warn" title="the run uses all of the processors: pictures come about once in a second, so that it does not wait for them">
          processors full
        </Badge>
      )}
    </>
  );
  if (link.state === "lost") {
    const why = ended || link.why;
    badge = (
      <>
        <Badge kind={ended ? "plain" : "bad"}>{ended ? "ended" : "lost"}</Badge>
        <span class={ended ? "dim" : "why"}>
          {why}; {left > 0 ? `again in ${left} s` : "trying"}
        </span>
        <button type="button" onClick={() => model.retry()}>
          now
        </button>
      </>
    );
  } else if (link.state === "connecting") badge = <Badge kind="warn">connecting</Badge>;
  else if (ended || (state === "ended" && !replay)) badge = <Badge kind="plain" title={ended || "the run has ended"}>ended</Badge>;
  else if (state === "lost") {
    badge = (
      <>
        <Badge kind="bad">lost</Badge>
        <span class="why">the run does not answer, or has died: this is the last that it said</span>
      </>
    );
  }
  else if (paused) badge = <Badge kind="warn" title="the picture and the list stand still; the run goes on">paused</Badge>;
  else if (slow) {
    badge = (
      <>
        <Badge kind="warn" title="pictures are coarser, or fewer, than is wanted: so they are of now">slow link</Badge>
        <span class="dim num">
          {slow.bin > 1 && `${slow.bin} × ${slow.bin}, `}
          {slow.rate}/s at {bytes(slow.bytesPerSecond)}/s
        </span>
      </>
    );
  }
  return (
    <span class="link" role="status" aria-live="polite">
      {badge}
    </span>
  );
}

function rightsTitle({ rights, settings_generation }: StatusFrame): string {
  if (rights.control) return "this page may change settings";
  return settings_generation === undefined ? "this page can change nothing" : "this page can change nothing: drp has printed another address for steering";
}

function useLeft(moment: number): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    setNow(Date.now());
    if (moment === 0) return undefined;
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [moment]);
  return Math.max(0, Math.ceil((moment - now) / 1000));
}
