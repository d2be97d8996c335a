// Questions to the server beside the stream. A refusal becomes an Error with what the server said, which is meant to be read.

export class Refused extends Error {
  readonly code: number;

  constructor(code: number, text: string) {
    super(text);
    this.code = code;
  }
}

const deadline = 10_000; // ms

async function ask(path: string, init: RequestInit = {}, patience = deadline): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(path, { ...init, signal: AbortSignal.timeout(patience), credentials: "same-origin" });
  } catch (err) {
    throw new Refused(0, (err as Error).name === "TimeoutError" ? `the server has not answered within ${patience / 1000} s` : "the server cannot be reached");
  }
  if (!answer.ok) throw new Refused(answer.status, reason(answer.status, await answer.text()));
  return answer;
}

// reason takes the sentence out of a refusal, which is text or {"error": ...}.
export function reason(code: number, text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    if (typeof error === "string" && error !== "") return error;
  } catch {
    // it is text
  }
  return text.trim() || `the server has answered with ${code}`;
}

export async function getJSON<T>(path: string): Promise<T> {
  return (await (await ask(path)).json()) as T;
}

// getExactly keeps whole numbers that JavaScript would round: they are bigint.
export async function getExactly<T>(path: string): Promise<T> {
  return exactly(await (await ask(path)).text()) as T;
}

const textOrNumber = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;
const long = /^-?\d{16,}$/; // shorter ones are below 2^53

// exactly reads JSON without rounding whole numbers. A text that begins with NUL is a number meanwhile: no setting has one.
export function exactly(text: string): unknown {
  const marked = text.replace(textOrNumber, (found) => (long.test(found) ? `"\\u0000${found}"` : found));
  return JSON.parse(marked, (_, value: unknown) => {
    if (typeof value !== "string" || !value.startsWith("\0")) return value;
    const digits = value.slice(1);
    return Number.isSafeInteger(Number(digits)) ? Number(digits) : BigInt(digits);
  });
}

export async function getBytes(path: string): Promise<Uint8Array> {
  return new Uint8Array(await (await ask(path)).arrayBuffer());
}

export async function post<T>(path: string, body: unknown, patience = deadline): Promise<T> {
  const init = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const answer = await ask(path, init, patience);
  const text = await answer.text();
  return (text.trim() === "" ? {} : JSON.parse(text)) as T;
}
