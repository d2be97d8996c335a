import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Status } from "../../src/protocol";

export const root = resolve(process.env["DRP_ROOT"] ?? "..");
export const screenshots = join(root, "out/web");
mkdirSync(screenshots, { recursive: true });

// A Drp is a process of drp that shows itself at an address.
export class Drp {
  log = "";
  private readonly child: ChildProcess;

  private constructor(args: string[]) {
    this.child = spawn(process.env["DRP_BIN"] ?? join(root, "bin/drp"), args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    for (const out of [this.child.stdout!, this.child.stderr!]) out.on("data", (text: Buffer) => (this.log += text.toString()));
  }

  static async start(...args: string[]): Promise<Drp> {
    return Drp.shown(2, args);
  }

  // page shows the page of another process, which has no address for steering.
  static async page(...args: string[]): Promise<Drp> {
    return Drp.shown(1, args);
  }

  private static async shown(addresses: number, args: string[]): Promise<Drp> {
    const drp = new Drp(args);
    await until(() => drp.addresses().length === addresses || drp.child.exitCode !== null, "the addresses", () => drp.log);
    if (drp.addresses().length !== addresses) throw new Error(`drp ${args.join(" ")} has ended:\n${drp.log}`);
    return drp;
  }

  // run waits until a process has ended, as it should.
  static async run(...args: string[]): Promise<string> {
    const drp = new Drp(args);
    await once(drp.child, "close");
    if (drp.child.exitCode !== 0) throw new Error(`drp ${args.join(" ")} has ended with ${drp.child.exitCode}:\n${drp.log}`);
    return drp.log;
  }

  // begun waits until events come.
  async begun(): Promise<void> {
    const events = async (): Promise<boolean> => (await this.json<Status>("/v1/status")).events.received > 0;
    await until(async () => this.child.exitCode !== null || (await events()), "events", () => this.log);
    if (this.child.exitCode !== null) throw new Error(`drp has ended:\n${this.log}`);
  }

  get watching(): URL {
    return new URL(this.addresses()[0]!);
  }

  get steering(): URL {
    return new URL(this.addresses()[1]!);
  }

  // ask gets what the server says at a path, with control.
  async ask(path: string): Promise<Response> {
    return fetch(new URL(path, this.steering), { headers: { Authorization: `Bearer ${this.steering.searchParams.get("token")}` } });
  }

  async post(path: string, body: unknown): Promise<Response> {
    const headers = { "Content-Type": "application/json", Authorization: `Bearer ${this.steering.searchParams.get("token")}` };
    return fetch(new URL(path, this.steering), { method: "POST", headers, body: JSON.stringify(body) });
  }

  async json<T>(path: string): Promise<T> {
    const answer = await this.ask(path);
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  signal(which: "SIGSTOP" | "SIGCONT"): void {
    this.child.kill(which);
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, "close");
    this.child.kill("SIGTERM");
    if ((await Promise.race([gone, sleep(20_000, "still there", { ref: false })])) === "still there") {
      this.child.kill("SIGKILL");
      await gone;
      throw new Error(`drp did not end within 20 s:\n${this.log}`);
    }
  }

  private addresses(): string[] {
    return this.log.match(/http:\/\/\S+\?token=\S+/g) ?? [];
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

// folder is one of this test alone, and what removes it.
export function folder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), "drp-web-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

// until waits for what another process does. The limit is for those who wait for ever, and no measure.
export async function until(holds: () => boolean | Promise<boolean>, what: string, more: () => string = () => "", limit = 60_000): Promise<void> {
  const end = Date.now() + limit;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`waited ${limit / 1000} s for ${what}\n${more()}`);
    await sleep(50);
  }
}
