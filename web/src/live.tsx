import type { JSX } from "preact";
import { useId, useState } from "preact/hooks";
import { useCell } from "./cell";
import { clock } from "./format";
import { useModel } from "./model";
import { Panel } from "./parts";
import type { Setting, Settings, Value } from "./protocol";
import { limits } from "./settings";

// LiveSettings shows what can be changed while the run goes on, and changes it where this page may.
export function LiveSettings(): JSX.Element {
  const model = useModel();
  const settings = useCell(model.settings.settings);
  const replay = useCell(model.replay.state);
  const frame = useCell(model.status);
  const control = (frame?.rights.control ?? false) && !replay;
  const elsewhere = frame?.settings_generation === undefined; // they are those of another process
  const all = settings?.settings ?? [];
  return (
    <Panel title="Settings" name="live" note={settings ? `generation ${settings.generation}` : ""}>
      {replay && all.length > 0 && <p class="dim">As they were when the event was recorded: a replay changes none.</p>}
      {!control && !replay && !elsewhere && <p class="dim">This page only watches. With the address for steering, which drp has printed too, values can be changed.</p>}
      {all.length === 0 && <p class="empty">{replay ? "none were recorded" : settings ? "none: neither the script nor a stage has declared any" : "there are none to change here"}</p>}
      <ul class="settings">
        {all.map((setting) => (
          <Row key={setting.name} setting={setting} control={control} />
        ))}
      </ul>
      {control && settings && <Reload />}
      {settings && <History settings={settings} />}
    </Panel>
  );
}

function Row({ setting: s, control }: { setting: Setting; control: boolean }): JSX.Element {
  const model = useModel();
  const id = useId();
  const [typed, setTyped] = useState<string | null>(null);
  const [said, setSaid] = useState(""); // why it was refused, or what may become of it
  const change = async (text: string): Promise<void> => {
    try {
      setSaid(await model.settings.change(s, text));
      setTyped(null);
    } catch (err) {
      setSaid((err as Error).message);
    }
  };
  const facts = [s.unit, limits(s), `default ${String(s.default)}`, s.stage].filter(Boolean).join(" · ");
  return (
    <li>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          if (typed !== null) void change(typed);
        }}
      >
        <label for={id}>{s.name}</label>
        <Field id={id} setting={s} text={typed ?? String(s.value)} type={setTyped} change={(text) => void change(text)} disabled={!control} described={`${id}-says`} />
        {typed !== null && (
          <>
            <button type="submit" class="primary">
              apply
            </button>
            <button
              type="button"
              onClick={() => {
                setTyped(null);
                setSaid("");
              }}
            >
              back to {String(s.value)}
            </button>
          </>
        )}
      </form>
      <p class="dim" id={`${id}-says`}>
        {s.doc} <span class="facts num">{facts}</span>
      </p>
      {said && (
        <p class="refused" role="alert">
          {said}
        </p>
      )}
    </li>
  );
}

interface FieldProps {
  id: string;
  setting: Setting;
  text: string;
  type: (text: string) => void; // while it is typed
  change: (text: string) => void; // where choosing is all
  disabled: boolean;
  described: string;
}

function Field({ id, setting, text, type, change, disabled, described }: FieldProps): JSX.Element {
  const rest = { id, disabled, "aria-describedby": described };
  if (setting.type === "bool") return <input type="checkbox" {...rest} checked={text === "true"} onChange={(e) => change(String(e.currentTarget.checked))} />;
  if (setting.choices !== null && setting.choices.length > 0) {
    return (
      <select {...rest} value={text} onChange={(e) => change(e.currentTarget.value)}>
        {setting.choices.map((c) => (
          <option key={String(c)} value={String(c)}>
            {String(c)}
          </option>
        ))}
      </select>
    );
  }
  const numeric = setting.type === "int" || setting.type === "float";
  return <input type="text" class={numeric ? "num" : ""} inputMode={numeric ? "decimal" : "text"} autocomplete="off" {...rest} value={text} onInput={(e) => type(e.currentTarget.value)} />;
}

function Reload(): JSX.Element {
  const model = useModel();
  const [said, setSaid] = useState<{ text: string; refused: boolean } | null>(null);
  const reload = async (now: boolean): Promise<void> => {
    setSaid({ text: "The script is being tried.", refused: false });
    try {
      const { state, sha256 } = await model.settings.reload(now);
      setSaid({ text: `The script was tried, and is ${state}: SHA-256 ${sha256.slice(0, 12)}…`, refused: false });
    } catch (err) {
      setSaid({ text: (err as Error).message, refused: true });
    }
  };
  return (
    <div class="reload">
      <span class="group" role="group" aria-label="reload the script">
        <button type="button" onClick={() => void reload(false)} title="used from the next step on">
          reload the script
        </button>
        <button type="button" onClick={() => void reload(true)} title="used before the next event">
          now
        </button>
      </span>
      {said && (
        <p class={said.refused ? "refused" : "dim"} role={said.refused ? "alert" : "status"}>
          {said.text}
        </p>
      )}
    </div>
  );
}

function History({ settings }: { settings: Settings }): JSX.Element {
  const past = [...(settings.history ?? [])].reverse();
  const text = (v: Value): string => (typeof v === "string" ? JSON.stringify(v) : String(v));
  return (
    <details>
      <summary>history ({past.length})</summary>
      <ul class="past">
        {past.map((entry) => (
          <li key={entry.generation}>
            <span class="num dim">
              {entry.generation} {clock(entry.time)}
            </span>{" "}
            {Object.entries(entry.changes).map(([name, [from, to]]) => `${name} ${text(from)} → ${text(to)}`).join(", ")} <span class="dim">{entry.who}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}
