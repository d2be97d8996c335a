import assert from "node:assert/strict";
import { copyFileSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import type { Replay } from "../../src/protocol";
import { launch, Tab } from "./browser";
import { Drp, folder, until } from "./process";

const own = folder();
let drp: Drp;
let browser: Browser;

before(async () => {
  browser = await launch();
  await Drp.run("-p", "scripts/hits.py", "-s", "sim:segments=2,hits=0.9,hz=10", "--hits", "peakfinder8", "--rate", "40", "--events", "120", "-o", own.path);
  const files = readdirSync(own.path).filter((name) => name.endsWith(".xtc2") && !name.includes(".smd")).map((name) => join(own.path, name));
  drp = await Drp.start("replay", ...files, "--paused", "--http", "127.0.0.1:0");
});

after(async () => {
  await browser?.close();
  await drp?.stop();
  own.remove();
});

const state = (): Promise<Replay> => drp.json<Replay>("/v1/replay");

test("a replay is stepped, moved, played at other speeds, and stopped", async () => {
  const tab = await Tab.open(browser, drp.steering);
  const bar = tab.page.getByRole("region", { name: "replay" });
  await tab.text(".replay", /-r0001.*\.xtc2/);
  const { events } = await state();
  assert.ok(events > 50, `${events} events`);
  await tab.shows((v) => v.number === 0, "the first event");
  await tab.text(".colourbar .unit", /keV/); // the simulated camera's own constants are taken, as the run did
  await tab.text(".live", /As they were[\s\S]*hits\.min_snr/);
  await tab.page.getByLabel("position").fill("20");
  await tab.shows((v) => v.number === 20, "event 20");
  await tab.page.getByRole("button", { name: "step forward" }).click();
  await tab.shows((v) => v.number === 21, "event 21");
  await tab.page.locator("h1").click();
  await tab.page.keyboard.press("ArrowRight");
  await tab.shows((v) => v.number === 22, "event 22, by key");
  await tab.page.keyboard.press("ArrowLeft");
  await tab.shows((v) => v.number === 21, "event 21 again, by key");
  assert.equal((await state()).paused, true);
  await tab.text(".caption", /peaks/);
  await tab.keep("replay");

  await tab.page.getByLabel("speed").selectOption("2");
  await until(async () => (await state()).speed === 2, "twice the speed");
  await tab.page.locator("h1").click(); // a field that has the focus keeps its keys
  await tab.page.keyboard.press("Space");
  await tab.shows((v) => v.number > 30, "the replay going on");
  await tab.page.keyboard.press("Space");
  await until(async () => (await state()).paused, "the replay pausing");
  await tab.page.getByLabel("speed").selectOption("0");
  await bar.getByRole("button", { name: "loop" }).click();
  await until(async () => (await state()).loop, "the loop");
  await tab.page.locator("h1").click();
  await tab.page.keyboard.press("Space");
  await tab.shows((v) => v.number > 60, "a fast replay");
  const listed = async (): Promise<number> => tab.page.locator(".event").count();
  const before = await listed();
  assert.ok(before > 5, `${before} events in the list`);
  await tab.shows((v) => v.number < 50, "the beginning again");
  for (let i = 0; i < 3; i++) { // the events are the same again
    await tab.shows((v) => v.number > 60, "the end again");
    await tab.shows((v) => v.number < 50, "the beginning again");
    assert.ok((await listed()) >= before, `${await listed()} events in the list, of ${before}`);
  }
  await tab.close();
});

test("the page shows what state the run was in, and only watches where it has no control", async () => {
  const tab = await Tab.open(browser, drp.watching);
  await tab.text(".top", /replay/);
  await tab.text(".books", /received\s+[1-9]/);
  await tab.text(".replay", /only the address for steering/);
  assert.equal(await tab.page.getByRole("button", { name: "step forward" }).isDisabled(), true);
  assert.equal(await tab.page.getByLabel("hits.min_snr").isDisabled(), true); // it is what was recorded
  await tab.shows((v) => v.number >= 0, "a picture");
  await tab.close();
});

test("files without a status beside them are shown as such", async () => {
  const bare = folder();
  const file = readdirSync(own.path).filter((name) => name.endsWith("-c000.xtc2") && !name.includes(".smd")).map((name) => join(own.path, name))[0]!;
  copyFileSync(file, join(bare.path, basename(file)));
  const other = await Drp.start("replay", join(bare.path, basename(file)), "--paused", "--http", "127.0.0.1:0");
  const tab = await Tab.open(browser, other.watching);
  await tab.shows((v) => v.number === 0, "the first event");
  await tab.text(".pipeline", /no status was recorded/);
  await tab.text(".books", /no status was recorded/);
  await tab.text(".workers", /no status was recorded/);
  await tab.text(".strips", /no status was recorded/);
  await tab.text(".live", /none were recorded/);
  await tab.close();
  await other.stop();
  bare.remove();
});
