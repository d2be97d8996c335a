import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import { keys } from "../../src/keys";
import { launch, Tab } from "./browser";
import { Drp, folder, freePort, until } from "./process";

// The page by hand: keys only, themes, narrow screens, and what it says when the run is gone.

const run = ["-p", "scripts/passthrough.py", "-s", "sim:segments=2,hits=0.5,events=0", "--rate", "20"];
let drp: Drp;
let browser: Browser;

before(async () => {
  browser = await launch();
  drp = await Drp.start(...run, "--http", "127.0.0.1:0");
});

after(async () => {
  await browser?.close();
  await drp?.stop();
});

test("everything can be reached and done by keys, and one sees where one is", async () => {
  const tab = await Tab.open(browser, drp.watching);
  await tab.shows((v) => v.number >= 0, "a picture");
  const wanted = await tab.page.evaluate(() => document.querySelectorAll("button:not(:disabled), select:not(:disabled), input:not(:disabled), [tabindex='0'], summary").length);
  const reached = new Set<string>();
  const unseen: string[] = [];
  for (let i = 0; i < wanted + 5; i++) {
    await tab.page.keyboard.press("Tab");
    const at = await tab.page.evaluate(() => {
      const el = document.activeElement as HTMLElement;
      if (el === document.body) return null;
      el.dataset["reached"] ??= String(Math.random());
      const label = el.getAttribute("aria-label") || el.textContent || (el as HTMLInputElement).labels?.[0]?.textContent || "";
      return { id: el.dataset["reached"], label: label.trim(), outline: getComputedStyle(el).outlineStyle };
    });
    if (!at) continue;
    reached.add(at.id);
    if (at.outline === "none") unseen.push(`${at.label}: no outline`);
    if (at.label === "") unseen.push("something without a name");
  }
  assert.deepEqual(unseen, []);
  assert.ok(reached.size >= wanted - 2, `${reached.size} of ${wanted} were reached`);

  await tab.page.locator("h1").click(); // away from all fields
  const look = (): Promise<string> => tab.page.evaluate(() => localStorage.getItem("drp.look") ?? "");
  const before = await look();
  await tab.page.keyboard.press("c");
  assert.notEqual(await look(), before);
  const { zoom } = await tab.view();
  await tab.page.keyboard.press("+");
  const near = await tab.shows((v) => v.zoom > zoom, "a closer picture");
  await tab.page.keyboard.press("d");
  await tab.shows((v) => v.x > near.x, "the picture moved");
  await tab.page.keyboard.press("0");
  await tab.shows((v) => v.zoom === zoom, "all of it again");
  await tab.page.keyboard.press("v");
  await tab.shows((v) => v.kind === "sum", "the sum");
  await tab.page.keyboard.press("v");
  await tab.page.keyboard.press("v");

  await tab.page.keyboard.press("?");
  const help = await tab.text("dialog[open]", /Keys/);
  for (const key of keys) assert.ok(help.includes(key.says), key.says);
  await tab.keep("help");
  await tab.page.keyboard.press("Escape");
  await until(async () => (await tab.page.locator("dialog[open]").count()) === 0, "the help closed");
  await tab.close();
});

test("light and dark follow the system, and the switch", async () => {
  const back = async (tab: Tab): Promise<number> => (await tab.page.evaluate(() => getComputedStyle(document.body).backgroundColor)).match(/\d+/g)!.map(Number).reduce((a, b) => a + b);
  const light = await Tab.open(browser, drp.watching);
  assert.ok((await back(light)) > 600);
  await light.close();
  const dark = await Tab.open(browser, drp.watching, { dark: true });
  assert.ok((await back(dark)) < 150);
  await dark.shows((v) => v.number >= 0, "a picture");
  await until(async () => (await dark.page.locator(".strips .line1 b").count()) > 0, "rates");
  await dark.keep("dark");
  await dark.page.keyboard.press("t");
  assert.ok((await back(dark)) > 600, "light was chosen");
  await dark.page.reload();
  assert.ok((await back(dark)) > 600, "and is remembered");
  await dark.page.keyboard.press("T"); // with Shift, or Caps Lock
  assert.ok((await back(dark)) < 150, "dark was chosen");
  await dark.close();
});

test("a narrow screen shows all, one below the other", async () => {
  const tab = await Tab.open(browser, drp.watching, { width: 390, height: 800 });
  await tab.shows((v) => v.number >= 0, "a picture");
  const { over, panels } = await tab.page.evaluate(() => ({
    over: document.documentElement.scrollWidth - innerWidth,
    panels: [...document.querySelectorAll(".panel")].filter((p) => p.getBoundingClientRect().right > innerWidth + 1).map((p) => p.className),
  }));
  assert.ok(over <= 0, `${over} pixels too wide`);
  assert.deepEqual(panels, []);
  await tab.keep("narrow");
  await tab.close();
});

test("a page that only watches cannot change anything, and says so", async () => {
  const tab = await Tab.open(browser, drp.watching);
  await tab.text(".top", /watching/);
  await tab.text(".live", /only watches/);
  assert.equal(await tab.page.locator(".live .reload").count(), 0);
  await tab.close();
});

test("a space pauses after a click on a button, and presses the button that a key has reached", async () => {
  const tab = await Tab.open(browser, drp.watching);
  await tab.shows((v) => v.number >= 0, "a picture");
  const peaks = tab.page.getByRole("button", { name: "peaks" });
  const was = await peaks.getAttribute("aria-pressed");
  await peaks.click();
  await tab.page.keyboard.press("Space");
  await tab.text(".top .link", /paused/);
  assert.notEqual(await peaks.getAttribute("aria-pressed"), was);
  await peaks.focus();
  await tab.page.keyboard.press("Space");
  await until(async () => (await peaks.getAttribute("aria-pressed")) === was, "the button pressed by a key");
  await tab.page.keyboard.press("Space");
  await until(async () => (await peaks.getAttribute("aria-pressed")) !== was, "the button pressed by the same key again");
  await tab.text(".top .link", /paused/);
  await tab.close();
});

test("a run that is stopped was enabled, also while the page tries it again", async (t) => {
  const stopped = await Drp.start(...run, "--http", "127.0.0.1:0");
  t.after(() => stopped.stop());
  const tab = await Tab.open(browser, stopped.watching);
  await tab.shows((v) => v.number > 5, "pictures");
  stopped.signal("SIGSTOP");
  t.after(() => stopped.signal("SIGCONT"));
  await tab.text(".top", /was enabled[\s\S]*lost/);
  assert.match(await tab.text(".top", /connecting/), /was enabled/);
  stopped.signal("SIGCONT");
  await tab.text(".top", /(?<!was )enabled[\s\S]*live/);
  await tab.close();
});

test("a page of another process says what became of the run, and keeps what it said last", async (t) => {
  const name = `web/${process.pid}`;
  const gone = await Drp.start(...run, "--hits", "peakfinder8", "--http", "127.0.0.1:0", "--monitor", name);
  t.after(() => gone.stop());
  await gone.begun();
  const page = await Drp.page("monitor", name, "--http", "127.0.0.1:0");
  t.after(() => page.stop());
  const tab = await Tab.open(browser, page.watching);
  await tab.shows((v) => v.number > 5, "pictures");
  await tab.text(".top", /enabled[\s\S]*settings [1-9][\s\S]*live[\s\S]*watching/);
  assert.doesNotMatch(await tab.text(".live", /none|no |there are/), /drp has printed/);
  const kept = async (): Promise<void> => {
    await tab.text(".books", /received\s+[1-9]/);
    await tab.text(".top", /passthrough\.py[\s\S]*settings [1-9]/);
    assert.doesNotMatch(await tab.text(".strips", /\S/), /does not look for hits/);
  };
  gone.signal("SIGSTOP");
  t.after(() => gone.signal("SIGCONT"));
  await tab.text(".top .run + .badge", /^lost$/);
  await tab.text(".top .link", /the run does not answer/);
  await kept();
  gone.signal("SIGCONT");
  await tab.text(".top .link", /live/);
  await gone.stop();
  await tab.text(".top .run + .badge", /^ended$/);
  await tab.text(".top .link", /^ended$/);
  await kept();
  await tab.keep("elsewhere");
  await tab.close();
});

test("a lost run is said, with the reason, and found again", async () => {
  const own = folder();
  try {
    const [port, token, control] = [await freePort(), join(own.path, "token"), join(own.path, "control")];
    writeFileSync(token, "watch-0123456789abcdefghij\n", { mode: 0o600 });
    writeFileSync(control, "steer-0123456789abcdefghij\n", { mode: 0o600 });
    const args = [...run, "--http", `127.0.0.1:${port}`, "--http-token-file", token, "--http-control-file", control];
    const one = await Drp.start(...args);
    const tab = await Tab.open(browser, one.watching);
    // The second run is asked for a pixel of the last picture of the first, where the cursor rests on that for as long as it has no picture itself.
    tab.allowed = /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_EMPTY_RESPONSE|status of 404 .*page\/pixel/;
    await tab.shows((v) => v.number > 20, "pictures");
    await one.stop();
    await tab.text(".top .link", /the run has ended.*again in \d+ s/s);
    await tab.text(".top", /was enabled|ended/);
    await tab.keep("ended");
    const two = await Drp.start(...args);
    await tab.text(".top .link", /live/);
    await tab.text(".top", /enabled/);
    const at = await tab.shows((v) => v.number >= 0, "a picture");
    await tab.shows((v) => v.number !== at.number, "another picture");
    await two.stop();
    await tab.close();
  } finally {
    own.remove();
  }
});

test("a run with another token, at the same address, is said to be one", async (t) => {
  const port = await freePort();
  const one = await Drp.start(...run, "--http", `127.0.0.1:${port}`);
  t.after(() => one.stop());
  const tab = await Tab.open(browser, one.watching);
  tab.allowed = /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_EMPTY_RESPONSE|status of 401/;
  await tab.shows((v) => v.number > 5, "pictures");
  await one.stop();
  await tab.text(".top .link", /the run has ended.*again in \d+ s/s);
  const two = await Drp.start(...run, "--http", `127.0.0.1:${port}`);
  t.after(() => two.stop());
  await tab.text(".top .link", /drp has begun anew at this address, and with another token: open the address that it has printed/);
  await tab.keep("another-token");
  await tab.close();
});

test("a browser without WebGL 2 shows the picture, its mask, and zooms", async () => {
  const plain = await launch("--disable-3d-apis");
  try {
    const tab = await Tab.open(plain, drp.watching);
    assert.equal(await tab.page.evaluate(() => document.createElement("canvas").getContext("webgl2")), null);
    const whole = await tab.shows((v) => v.number >= 0, "a picture");
    await tab.page.keyboard.press("Space");
    const seen = async (): Promise<Map<string, number>> => {
      const [screen, colours] = [await tab.screen(), new Map<string, number>()];
      for (let x = 10; x < screen.width; x += 3) for (let y = 10; y < screen.height; y += 3) colours.set(screen.at(x, y).join(), (colours.get(screen.at(x, y).join()) ?? 0) + 1);
      return colours;
    };
    assert.ok((await seen()).size > 50, "the picture has many colours");
    await tab.page.keyboard.press("m");
    const red = (colours: Map<string, number>): number => colours.get("195,46,69") ?? 0;
    await until(async () => red(await seen()) > 3, "masked pixels");
    await tab.page.keyboard.press("+");
    await tab.shows((v) => v.zoom > whole.zoom, "a closer picture");
    await tab.keep("no-webgl");
    await tab.close();
  } finally {
    await plain.close();
  }
});
