import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import type { Settings, Status } from "../../src/protocol";
import { launch, Tab } from "./browser";
import { Drp, folder, root, until } from "./process";

const own = folder();
const script = join(own.path, "threshold.py");
let drp: Drp;
let browser: Browser;

before(async () => {
  const text = readFileSync(join(root, "scripts/threshold.py"), "utf8");
  writeFileSync(script, text.replace("\nmode = ", '\nds.param("large", 2**62 + 1, min=0, max=2**63 - 1)\nmode = '));
  browser = await launch();
  drp = await Drp.start("-p", script, "-s", "sim:segments=1,events=0", "--rate", "20", "--http", "127.0.0.1:0");
  await drp.begun();
});

after(async () => {
  await browser?.close();
  await drp?.stop();
  own.remove();
});

const books = async (): Promise<Status["events"]> => (await drp.json<Status>("/v1/status")).events;
const threshold = async (): Promise<unknown> => (await drp.json<Settings>("/v1/settings")).settings?.find((s) => s.name === "threshold")?.value;

test("a threshold is changed, and applied to the events that follow", async () => {
  const tab = await Tab.open(browser, drp.steering);
  await tab.text(".live", /threshold[\s\S]*at least 0/);
  assert.equal((await books()).rejected, 0);
  await tab.page.getByLabel("threshold").fill("1e15");
  await tab.page.getByRole("button", { name: "apply" }).click();
  await until(async () => (await threshold()) === 1e15, "the threshold");
  await until(async () => (await books()).rejected > 20, "rejected events");
  const { recorded } = await books();
  const { rejected } = await books();
  await until(async () => (await books()).rejected > rejected + 20, "more of them");
  assert.ok((await books()).recorded <= recorded, "events above no threshold are recorded");
  await tab.text(".books", /rejected by the script\s+[1-9]/);
  await tab.text(".live header", /generation [1-9]/);
  await tab.page.locator(".live summary").click();
  await tab.text(".live details", /threshold 0 → 1000000000000000/);

  await tab.page.getByLabel("mode").selectOption("max");
  await until(async () => ((await drp.json<Settings>("/v1/settings")).settings ?? []).some((s) => s.name === "mode" && s.value === "max"), "the mode");
  await tab.keep("settings");
  await tab.close();
});

test("what the run refuses is said with its reason, and the value stays", async () => {
  const tab = await Tab.open(browser, drp.steering);
  tab.allowed = /status of 422/;
  const was = await threshold();
  for (const [typed, reason] of [["-1", /threshold.*-1.*0/], ["many", /"many" is no finite number/], ["0x10", /"0x10" is no finite number/], ["1e999", /"1e999" is no finite number/]] as const) {
    await tab.page.getByLabel("threshold").fill(typed);
    await tab.page.keyboard.press("Enter");
    await tab.text(".live [role=alert]", reason);
  }
  await tab.keep("refused");
  assert.equal(await threshold(), was);
  await tab.page.getByRole("button", { name: /back to/ }).click();
  await until(async () => (await tab.page.locator(".live [role=alert]").count()) === 0, "the reason gone");
  await tab.close();
});

test("a whole number that JavaScript would round is what was typed", async () => {
  const tab = await Tab.open(browser, drp.steering);
  const large = async (): Promise<string> => /"name":\s*"large"[^}]*"value":\s*(\d+)/.exec(await (await drp.ask("/v1/settings")).text())?.[1] ?? "";
  const field = tab.page.getByLabel("large");
  await until(async () => (await field.inputValue()) === "4611686018427387905", "the value at the start");
  for (const typed of ["9007199254740995", "9223372036854775807"]) {
    await field.fill(typed);
    await tab.page.keyboard.press("Enter");
    await until(async () => (await large()) === typed, typed);
    await until(async () => (await tab.page.getByRole("button", { name: "apply" }).count()) === 0 && (await field.inputValue()) === typed, "the value shown");
  }
  await tab.page.locator(".live summary").click();
  await tab.text(".live details", /large 9007199254740995 → 9223372036854775807[\s\S]*large 4611686018427387905 → 9007199254740995/);
  await tab.close();
});

test("who only watches sees the values and cannot change them", async () => {
  const tab = await Tab.open(browser, drp.watching);
  await tab.text(".live", /threshold/);
  assert.equal(await tab.page.getByLabel("threshold").isDisabled(), true);
  const refused = await fetch(new URL("/v1/settings", drp.watching), {
    method: "POST", body: '{"threshold": 7}', headers: { "Content-Type": "application/json", Authorization: `Bearer ${drp.watching.searchParams.get("token")}` },
  });
  assert.equal(refused.status, 403);
  await tab.close();
});

test("a script is reloaded, or the page says why not", async () => {
  const tab = await Tab.open(browser, drp.steering);
  tab.allowed = /status of 422/;
  const text = readFileSync(script, "utf8");
  writeFileSync(script, text + "\nthis is no Python\n");
  await tab.page.getByRole("button", { name: "reload the script" }).click();
  await tab.text(".reload [role=alert]", /SyntaxError|invalid syntax|no Python/);
  writeFileSync(script, text + "\n# another one\n");
  await tab.page.getByRole("button", { name: "reload the script" }).click();
  await tab.text(".reload [role=status]", /SHA-256/);
  await tab.close();
});
