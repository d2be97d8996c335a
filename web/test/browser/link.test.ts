import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import type { Status } from "../../src/protocol";
import { launch, Tab } from "./browser";
import { Link } from "./link";
import { Drp, folder, until } from "./process";

// The page through a tunnel: pictures of two megapixels, 4.3 MB each.

const own = folder();
let drp: Drp;
let browser: Browser;

const script = `
from drp import DataSource
ds = DataSource()
bad = ds.param("bad", False, doc="fail on each event")
for run in ds.runs():
    for evt in run.events():
        if bad.value:
            raise ValueError("the sample is gone")
`;

before(async () => {
  browser = await launch();
  const path = join(own.path, "failing.py");
  writeFileSync(path, script);
  drp = await Drp.start("-p", path, "-w", "1", "-s", "sim:events=0,bank=4", "--rate", "20", "--http", "127.0.0.1:0");
  await drp.begun();
});

after(async () => {
  await browser?.close();
  await drp?.stop();
  own.remove();
});

const received = async (): Promise<number> => (await drp.json<Status>("/v1/status")).events.received;
const set = async (change: object): Promise<void> => assert.equal((await drp.post("/v1/settings", change)).status, 200);

test("through a slow link the page stays live, with coarser and fewer pictures, and through a fast one it shows all", async (t) => {
  const link = await Link.open(drp.watching, 2e6);
  t.after(() => link.close());
  const tab = await Tab.open(browser, link.way);
  const first = await tab.shows((v) => v.number >= 0, "a picture");
  await tab.page.keyboard.press("1"); // all pixels are wanted
  await tab.shows((v) => Math.abs(v.zoom - 1) < 1e-6 && v.number > first.number, "a picture, closer");
  await tab.text(".top .link", /slow link\s+[248] × [248], [\d.]+\/s at [\d.]+ [kM]B\/s/);
  await tab.keep("slow-link");
  for (let i = 0; i < 3; i++) { // it follows the run
    const now = await received();
    await tab.shows((v) => v.number >= now && v.bin > 1, `event ${now} or a later one, binned`);
    await until(async () => Number((await tab.text(".books", /received/)).match(/received\s+([\d,]+)/)![1]!.replace(/,/g, "")) >= now, `${now} events in the books`);
  }
  await tab.text(".strips .line1", /received\/s \d/);
  await set({ bad: true });
  await tab.text(".log", /Traceback[\s\S]*ValueError: the sample is gone/);
  await set({ bad: false });
  const { events, state } = await drp.json<Status>("/v1/status");
  assert.deepEqual([state, events.dropped, events.lost], ["enabled", 0, 0]);

  link.speed = 125e6; // a gigabit
  await tab.shows((v) => v.bin === 1, "every pixel, when the link is fast again", 180_000);
  const at = await tab.view();
  await tab.shows((v) => v.bin === 1 && v.number > at.number + 20, "and others");
  await tab.close();
});

test("through a link of a gigabit all pictures are shown", async (t) => {
  const link = await Link.open(drp.watching, 125e6);
  t.after(() => link.close());
  const tab = await Tab.open(browser, link.way);
  await tab.shows((v) => v.number >= 0, "a picture");
  await tab.page.keyboard.press("1");
  let at = await tab.shows((v) => v.bin === 1, "every pixel");
  for (let i = 0; i < 5; i++) at = await tab.shows((v) => v.bin === 1 && v.number > at.number, "the next picture, every pixel");
  await tab.close();
});
