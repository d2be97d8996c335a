// What the server says, as docs/openapi.json and docs/page.md describe it. Only what is shown is listed.

export interface Slots {
  slots: number;
  in_use: number;
}

export interface Latency {
  count: number;
  seconds: number;
  p50: number;
  p99: number;
  counts: number[];
}

export interface Worker {
  number: number;
  state: "idle" | "working" | "starting" | "stopped" | "retired" | "ended";
  pid: number;
  event_slots: Slots;
  waiting: number;
  events: number;
  busy_seconds: number;
  cpu_seconds: number;
  resident_bytes: number;
  restarts: number;
  recycled: number;
  script: Latency;
}

export interface Books {
  received: number;
  recorded: number;
  rejected: number;
  vetoed: number;
  quarantined: number;
  dropped: number;
  failed: number;
  in_flight: number;
  lost: number;
  damaged: number;
  altered: number;
  late_answers: number;
  decided_by_default: number;
  posted: number;
  post_failed: number;
  kept_unwanted: number;
  bytes_received: number;
  bytes_recorded: number;
  deadtime_seconds: number;
}

export interface Consumer {
  name: string;
  number: number;
  pid: number;
  delivered: number;
  missed: number;
  newest?: boolean; // it misses the others by its own choice
}

export interface Status {
  version: string;
  host: string;
  pid: number;
  partition: string;
  experiment: string;
  run: number;
  source: string;
  script: string;
  state: string;
  transition: string;
  time: string;
  seconds: number;
  events: Books;
  hits: { searched: number; hits: number; passed_over: number; unsearched: number; by_gpu: number; by_cpu_instead: number };
  gpu?: { name: string; lost: string; busy_seconds: number };
  stages: { name: string; latency: Latency }[] | null;
  workers: Worker[] | null;
  post_workers?: Worker[];
  transition_slots: Slots;
  trigger?: { waiting: number; latency: Latency; decisions: { reason: string; count: number }[] | null };
  calibration: { generation: number; published: string };
  settings?: { generation: number }; // absent in old records
  consumers: Consumer[] | null;
  failures: string[] | null;
}

export interface Rights {
  control: boolean;
}

export interface StatusFrame {
  status: Status;
  rights: Rights;
  settings_generation?: number; // absent where there are no settings
  lag: { dropped: number; scarce?: boolean }; // scarce is that the processors are full
  replay?: Replay; // absent in a run that goes on
}

export type Picture = "event" | "sum" | "max";
export type Flag = "hit" | "rejected" | "vetoed" | "damaged";
export type Peak = [x: number, y: number, total: number, snr: number];

export interface ImageHead {
  number: number;
  pulse: string;
  timestamp: number; // seconds since 1970
  kind: Picture;
  events: number; // that a sum is of
  full: [rows: number, cols: number]; // of the picture at bin 1
  rows: number;
  cols: number;
  bin: number;
  offset: number; // a pixel is offset + scale times what comes
  scale: number;
  min: number;
  max: number;
  p1: number;
  p50: number;
  p99: number;
  p999: number;
  corrected: boolean;
  unit: string;
  hit: boolean | null;
  npeaks: number;
  peaks: Peak[] | null;
  rings: { d: number; unit: string; r: number }[] | null;
  centre: [x: number, y: number] | null;
  radial: { step: number; unit: string; values: (number | null)[] } | null;
  flags: Flag[] | null;
  reason?: string;
  missed: number;
}

// noPixel stands where there is no pixel, or a masked one.
export const noPixel = 65535;

// What a mask says of a place of the picture.
export const maskBad = 1; // 0 is good, 2 is no pixel at all

export interface EventRow {
  number: number;
  pulse: string;
  timestamp: number;
  hit: boolean | null;
  npeaks: number;
  flags: Flag[] | null;
  reason: string;
}

export interface LogLine {
  time: string;
  level: string;
  text: string;
}

export interface History {
  t: number[];
  rate: number[];
  hit_rate: (number | null)[];
  recorded: number[];
  busy: number[][]; // of each worker
}

export interface PixelAnswer {
  value: number | null;
  raw: number | null;
  segment: number | null; // null between segments
  row: number | null;
  col: number | null;
  masked: boolean;
}

export type Value = number | bigint | string | boolean; // bigint where a number would not have all digits

export interface Setting {
  name: string;
  value: Value;
  default: Value;
  type: "int" | "float" | "bool" | "str";
  min: number | bigint | null;
  max: number | bigint | null;
  choices: Value[] | null;
  unit: string;
  doc: string;
  stage: string;
}

export interface Settings {
  generation: number;
  settings: Setting[] | null;
  history: { generation: number; time: string; who: string; changes: Record<string, [Value, Value]> }[] | null;
}

export interface Reloaded {
  sha256: string;
  state: string; // when it is used
}

export interface Replay {
  file: string;
  events: number;
  position: number;
  speed: number; // 0 is as fast as can be
  paused: boolean;
  loop: boolean;
  recorded: boolean; // the status of the run was
  why?: string; // it could not go on
}
