import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import { launch, Tab } from "./browser";
import { Drp, folder, until } from "./process";

// What became of events: of the trigger, of a script that fails, and of pictures that are gone.

const own = folder();
let drp: Drp;
let browser: Browser;

const script = `
from drp import DataSource
ds = DataSource()
every = ds.param("fail_every", 0, min=0, doc="0 is never")

def look(evt, n):
    if every.value and n % every.value == 0:
        raise ValueError(f"no sample in the beam:\\n    it was lost at {n}")

for run in ds.runs():
    for n, evt in enumerate(run.events()):
        evt.trigger(rest=n % 7)
        look(evt, n)
`;

const rules = `
rules:
  - {name: seventh, when: "sum(c.rest) == 0", persist: true, monitor: 1}
  - {name: others, when: "true", persist: false}
`;

before(async () => {
  browser = await launch();
  writeFileSync(join(own.path, "looking.py"), script);
  writeFileSync(join(own.path, "rules.yaml"), rules);
  drp = await Drp.start("-p", join(own.path, "looking.py"), "-w", "1", "-s", "sim:segments=1,events=0,bank=4", "--rate", "40",
    "--trigger", join(own.path, "rules.yaml"), "--http", "127.0.0.1:0");
  await drp.begun();
});

after(async () => {
  await browser?.close();
  await drp?.stop();
  own.remove();
});

test("the list and the caption name the reason of the trigger", async () => {
  const tab = await Tab.open(browser, drp.watching);
  await tab.text(".list", /trigger: seventh/);
  await tab.text(".list", /vetoed\s+trigger: others/);
  const wrong = await tab.page.locator(".event").evaluateAll((rows) => rows.map((row) => (row as HTMLElement).innerText).filter((text) => /seventh/.test(text) && /vetoed/.test(text)));
  assert.deepEqual(wrong, []);
  await tab.page.getByRole("group", { name: "filter" }).getByRole("button", { name: "vetoed" }).click();
  await until(async () => !/seventh/.test(await tab.page.locator(".list").innerText()), "vetoed events only");
  await tab.page.keyboard.press("Escape");
  await tab.page.locator(".event").first().click();
  await tab.text(".caption", /trigger: others/);
  await tab.keep("trigger");
  await tab.close();
});

test("an event whose picture is gone is said to be", async () => {
  const tab = await Tab.open(browser, drp.watching);
  await tab.page.getByLabel("at most").fill("6"); // 30 a second, so that they go soon
  const rows = tab.page.locator(".event");
  await until(async () => (await rows.count()) > 140, "more events in the list than page and server keep pictures of");
  const number = await tab.page.evaluate(() => {
    const oldest = [...document.querySelectorAll<HTMLElement>(".event")].pop()!;
    oldest.click(); // before it is pushed out of the list
    return Number(oldest.id.replace("event-", ""));
  });
  await tab.text(".problem", new RegExp(`the picture of event ${number} is no longer kept`));
  assert.equal(await tab.page.getByRole("status").filter({ hasText: "no longer kept" }).count(), 1, "it is told to those who do not see it");
  await tab.text(".top .link", /paused/);
  const row = tab.page.locator(`#event-${number}`);
  assert.equal(await row.getAttribute("aria-selected"), "true");
  assert.match((await row.getAttribute("class")) ?? "", /gone/);
  await tab.keep("gone");
  await tab.close();
});

test("what a script says as it fails is in lines, as Python has them", async () => {
  const tab = await Tab.open(browser, drp.watching);
  assert.equal((await drp.post("/v1/settings", { fail_every: 50 })).status, 200);
  const said = await tab.text(".log", /ValueError/);
  const lines = said.split("\n").map((line) => line.trimEnd());
  const at = lines.findIndex((line) => /Traceback \(most recent call last\):$/.test(line));
  assert.ok(at >= 0, said);
  assert.match(lines.slice(at, at + 12).join("\n"), /\n {2}File ".*looking\.py", line \d+, in look\n {4}raise ValueError[\s\S]*\nValueError: no sample in the beam:\n {4}it was lost at \d+/);
  const [high, one] = await tab.page.locator(".log li", { hasText: "Traceback" }).first().evaluate((li) => [li.getBoundingClientRect().height, parseFloat(getComputedStyle(li).lineHeight)]);
  assert.ok(high! > 5 * one!, `a traceback of ${high} pixels, where a line has ${one}`);
  await tab.keep("traceback");
  assert.equal((await drp.post("/v1/settings", { fail_every: 0 })).status, 200);
  await tab.close();
});
