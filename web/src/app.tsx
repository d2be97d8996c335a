import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { Books } from "./books";
import { useCell } from "./cell";
import { Consumers } from "./consumers";
import { Events } from "./events";
import { Header } from "./header";
import { Help } from "./help";
import { Picture } from "./image";
import { listen } from "./keys";
import { LiveSettings } from "./live";
import { Log } from "./log";
import { useModel } from "./model";
import { Pipeline } from "./pipeline";
import { ReplayBar } from "./replaybar";
import { Radial, Strips } from "./strips";
import { Workers } from "./workers";

export function App(): JSX.Element {
  const model = useModel();
  useEffect(() => listen(model), [model]);
  const past = useCell(model.link).state !== "open";
  const lost = useCell(model.status)?.status.state === "lost";
  return (
    <>
      <Header />
      <ReplayBar />
      <main class={past || lost ? "stale" : ""}>
        <Pipeline />
        <Picture />
        <Strips />
        <Radial />
        <Events />
        <Books />
        <Workers />
        <Consumers />
        <LiveSettings />
        <Log />
      </main>
      <Problem />
      <Help />
    </>
  );
}

const readable = 8_000; // ms that a problem stays

function Problem(): JSX.Element {
  const model = useModel();
  const text = useCell(model.problem);
  useEffect(() => {
    if (text === "") return undefined;
    const timer = setTimeout(() => model.problem.set(""), readable);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <div class="problem" role="status" aria-live="polite">
      {text && <p>{text}</p>}
    </div>
  );
}
