import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { get } from "node:http";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Browser } from "playwright-core";
import { parseImage } from "../../src/frame";
import type { EventRow, ImageHead, PixelAnswer } from "../../src/protocol";
import { launch, onScreen, Tab } from "./browser";
import { Drp, until } from "./process";

let drp: Drp;
let browser: Browser;

before(async () => {
  browser = await launch();
  drp = await Drp.start("-p", "scripts/hits.py", "-s", "sim:segments=4,hits=0.5,events=0,hz=20", "--hits", "peakfinder8", "--rate", "20", "--http", "127.0.0.1:0");
});

after(async () => {
  await browser?.close();
  await drp?.stop();
});

// anEvent pauses at a hit that the server keeps.
async function aHit(tab: Tab): Promise<ImageHead> {
  await tab.shows((v) => v.kind === "event", "a picture");
  await tab.page.getByRole("group", { name: "filter" }).getByRole("button", { name: "hits" }).click();
  await until(async () => (await tab.page.locator(".event").count()) > 1, "hits in the list");
  await tab.page.getByRole("button", { name: "pause" }).first().click();
  await tab.page.locator(".event:not(.gone)").first().click();
  const wanted = Number(((await tab.page.locator('.event[aria-selected="true"]').first().getAttribute("id")) ?? "").replace("event-", ""));
  await tab.shows((v) => v.number === wanted, `event ${wanted}`);
  const answer = await drp.ask(`/v1/page/event?number=${wanted}&bin=1`);
  assert.equal(answer.status, 200);
  return parseImage<ImageHead>(new Uint8Array(await answer.arrayBuffer())).head;
}

test("a picture comes, and others after it", async () => {
  const tab = await Tab.open(browser, drp.watching);
  assert.ok(!tab.page.url().includes("token"), "the token stays in the address");
  const first = await tab.shows((v) => v.number >= 0, "a picture");
  await tab.shows((v) => v.number > first.number + 20, "twenty events later");
  const screen = await tab.screen();
  const colours = new Set<string>();
  for (let x = 10; x < screen.width; x += 7) for (let y = 10; y < screen.height; y += 7) colours.add(screen.at(x, y).join());
  assert.ok(colours.size > 50, `a picture of ${colours.size} colours`);
  await tab.text(".pipeline", /source[\s\S]*pebble[\s\S]*workers[\s\S]*collector[\s\S]*recorder[\s\S]*monitors/);
  await tab.text(".books", /balanced/);
  await tab.text(".consumers", /page[\s\S]*takes the newest/);
  await tab.text(".workers tbody", /working|idle/);
  await until(async () => (await tab.page.locator(".strips canvas").count()) === 2, "two strips");
  await tab.text(".strips .line1", /received\/s \d/);
  await tab.text(".top .link", /live/);
  await sleep(5000); // for the strips of the screenshot
  await tab.keep("light");
  await tab.close();
});

test("peaks are circles at the pixels where they are", async () => {
  const tab = await Tab.open(browser, drp.watching);
  const head = await aHit(tab);
  assert.ok((head.rings ?? []).length > 1 && head.rings!.every((ring) => ring.unit === "Å"), `rings of resolution: ${JSON.stringify(head.rings)}`);
  const peaks = (head.peaks ?? []).filter(([x, y]) => x > 20 && y > 20 && x < head.full[1] - 20 && y < head.full[0] - 20);
  assert.ok(peaks.length > 20, `${peaks.length} peaks`);
  for (const key of ["c", "c", "c", "c", "l", "l", "p", "r"]) await tab.page.keyboard.press(key); // grey, linear, nothing drawn above
  assert.equal(await tab.page.getByLabel("colours").inputValue(), "grey");
  assert.equal(await tab.page.getByLabel("scale").inputValue(), "linear");
  await tab.page.getByLabel("upper limit").fill("12");
  await tab.page.keyboard.press("Enter");
  await tab.page.getByLabel("bin").selectOption("1");
  const view = await tab.shows((v) => v.bin === 1, "every pixel");

  const plain = await tab.screen();
  await tab.page.keyboard.press("p"); // Enter has left the field? the next lines would tell
  if ((await tab.page.getByRole("button", { name: "peaks" }).getAttribute("aria-pressed")) !== "true") await tab.page.getByRole("button", { name: "peaks" }).click();
  const circled = await tab.screen();
  await tab.keep("peaks");

  const brightest = (x: number, y: number, around: number): number => {
    let most = 0;
    for (let dx = -around; dx <= around; dx++) for (let dy = -around; dy <= around; dy++) most = Math.max(most, plain.at(x + dx, y + dy)[0]);
    return most;
  };
  let [bright, round, elsewhere] = [0, 0, 0];
  const radius = Math.max(6, 4 * view.zoom);
  for (const [px, py] of peaks) {
    const { x, y } = onScreen(view, plain, px + 0.5, py + 0.5);
    const beside = [plain.at(x - 9, y)[0], plain.at(x + 9, y)[0], plain.at(x, y - 9)[0], plain.at(x, y + 9)[0]].sort((a, b) => a - b);
    if (brightest(x, y, 1) > beside[1]! + 25) bright++;
    // A line is thinner than two pixels, and lies between them: it is looked for a pixel farther in and out, too.
    const on = [0, 1, 2, 3, 4, 5, 6, 7].filter((i) => [-1, -0.5, 0, 0.5, 1].some((off) => {
      const [r, g, b] = circled.at(x + (radius + off) * Math.cos((i * Math.PI) / 4), y + (radius + off) * Math.sin((i * Math.PI) / 4));
      return r > g + 50 && r > b + 25;
    }));
    if (on.length >= 6) round++;
    const far = circled.at(x + 2.5 * radius, y + 2.5 * radius);
    if (far[0] > far[1] + 50) elsewhere++;
  }
  assert.ok(bright > 0.8 * peaks.length, `${bright} of ${peaks.length} peaks lie on bright pixels`);
  assert.ok(round > 0.95 * peaks.length, `${round} of ${peaks.length} peaks have a circle`);
  assert.ok(elsewhere < 0.1 * peaks.length, `circles at ${elsewhere} places where there is no peak`);
  await tab.close();
});

test("the value under the cursor is that of the pixel", async () => {
  const tab = await Tab.open(browser, drp.watching);
  const head = await aHit(tab);
  for (const [px, py] of (head.peaks ?? []).slice(0, 3)) {
    const [col, row] = [Math.round(px), Math.round(py)];
    const box = (await tab.picture.boundingBox())!;
    const at = onScreen(await tab.view(), box, col + 0.5, row + 0.5);
    await tab.page.mouse.move(box.x + at.x, box.y + at.y);
    const said = await tab.text(".readout", new RegExp(`x (${col - 1}|${col}|${col + 1})\\s+y (${row - 1}|${row}|${row + 1})\\s[\\s\\S]*raw`));
    const [, x, y] = said.match(/x (\d+)\s+y (\d+)/)!.map(Number);
    const exact = await drp.json<PixelAnswer>(`/v1/page/pixel?number=${head.number}&row=${y}&col=${x}`);
    const whole = await tab.page.locator(".readout").evaluate((e) => e.scrollWidth <= e.clientWidth && e.scrollHeight <= e.clientHeight);
    assert.ok(whole, `all of it is seen: ${said}`);
    assert.match(said, new RegExp(`raw ${exact.raw}, segment ${exact.segment} row ${exact.row} column ${exact.col}`));
    if (!exact.masked) assert.ok(said.includes(`${Number(exact.value!.toPrecision(4))} `), `${said}: not ${exact.value}`);
  }
  await tab.close();
});

test("zooming asks for finer pixels, and keeps what lies under the cursor", async () => {
  const tab = await Tab.open(browser, drp.watching, { width: 800, height: 600 });
  type Box = { x: number; y: number; width: number; height: number };
  let [whole, near, box] = [await tab.view(), await tab.view(), {} as Box];
  let at = { x: 0, y: 0 }; // on the picture, which the middle of the screen is kept on
  const under = (v: typeof whole): { x: number; y: number } => ({ x: v.x + (at.x - box.width / 2) / v.zoom, y: v.y + (at.y - box.height / 2) / v.zoom });
  for (let again = true; again; ) { // until nothing around the picture has grown meanwhile, as counters may
    await tab.page.mouse.move(0, 0);
    await tab.page.keyboard.press("0");
    whole = await tab.shows((v) => v.bin > 1, "a binned picture");
    await tab.picture.scrollIntoViewIfNeeded();
    box = (await tab.picture.boundingBox())!;
    at = { x: box.width / 2 - 60, y: box.height / 2 - 40 };
    await tab.page.mouse.move(box.x + at.x, box.y + at.y);
    for (let i = 0; i < 5; i++) await tab.page.mouse.wheel(0, -300);
    near = await tab.shows((v) => v.bin === 1 && v.zoom > 2 * whole.zoom, "every pixel");
    again = JSON.stringify(await tab.picture.boundingBox()) !== JSON.stringify(box) || Math.abs((await tab.view()).zoom - near.zoom) > 1e-9;
  }
  assert.ok(Math.abs(near.zoom / (whole.zoom * Math.exp(5 * 300 * 0.0015)) - 1) < 0.01, `${whole.zoom} has become ${near.zoom}`);
  const [a, b] = [under(whole), under(near)];
  assert.ok(Math.hypot(a.x - b.x, a.y - b.y) < 1, `${JSON.stringify(a)} has become ${JSON.stringify(b)}`);
  await tab.page.mouse.down();
  const { number } = await tab.view();
  await tab.shows((v) => v.number > number, "another picture, while the button is down");
  await tab.page.mouse.move(box.x + at.x + 60, box.y + at.y);
  await tab.page.mouse.up();
  await tab.shows((v) => Math.abs(v.x - (near.x - 60 / near.zoom)) < 0.5, "the picture moved by dragging");
  await tab.page.mouse.dblclick(box.x + at.x, box.y + at.y);
  await tab.shows((v) => Math.abs(v.zoom / whole.zoom - 1) < 0.1, "all of the picture"); // its place may be higher now
  await tab.close();
});

// received is how many events the source has brought, as the page says.
async function received(tab: Tab): Promise<number> {
  return Number((await tab.text(".pipeline .stage >> nth=0", /\d/)).match(/source\s+([\d,]+)/)![1]!.replace(/,/g, ""));
}

test("pause stands still, steps go back and forth through what was seen", async () => {
  const tab = await Tab.open(browser, drp.watching);
  const first = await tab.shows((v) => v.number >= 0, "a picture");
  await tab.shows((v) => v.number > first.number + 40, "forty events later");
  await tab.page.keyboard.press("Space");
  await tab.text(".top .link", /paused/);
  await tab.drawn();
  const stood = (await tab.view()).number;
  const came = await received(tab);
  await until(async () => (await received(tab)) > came + 40, "the run going on");
  assert.equal((await tab.view()).number, stood, "the picture moves while it is paused");
  await tab.page.keyboard.press("ArrowLeft");
  const back = await tab.shows((v) => v.number < stood, "the event before");
  await tab.page.keyboard.press("ArrowLeft");
  const further = await tab.shows((v) => v.number < back.number, "the one before that");
  await tab.page.keyboard.press("ArrowRight");
  await tab.shows((v) => v.number === back.number, "the next one again");
  assert.ok(further.number < back.number);
  await tab.page.keyboard.press("Space");
  await tab.shows((v) => v.number > stood + 40, "the run again");
  await tab.close();
});

test("sum, maximum, mask and other scales change what is seen", async () => {
  const tab = await Tab.open(browser, drp.watching);
  await tab.shows((v) => v.kind === "event", "an event");
  for (const name of ["sum", "max"]) {
    await tab.page.getByRole("button", { name, exact: true }).click();
    await tab.shows((v) => v.kind === name, name);
  }
  await tab.text(".caption", /of [\d,]+ events/);
  await tab.page.keyboard.press("Space");
  const seen = async (): Promise<string> => {
    const screen = await tab.screen();
    const hash = createHash("sha1");
    for (let x = 0; x < screen.width; x += 2) for (let y = 0; y < screen.height; y += 2) hash.update(new Uint8Array(screen.at(x, y)));
    return hash.digest("hex");
  };
  let look = "";
  await until(async () => look === (look = await seen()), "a picture that stands still");
  for (const key of ["l", "l", "i", "c", "M"]) {
    await tab.page.keyboard.press(key);
    const before = look;
    await until(async () => (look = await seen()) !== before, `another look with ${key}`);
  }
  await tab.close();
});

test("what stands still gives way to the kind of picture that is chosen", async () => {
  const tab = await Tab.open(browser, drp.watching);
  const choose = (name: string): Promise<void> => tab.page.getByRole("group", { name: "picture" }).getByRole("button", { name, exact: true }).click();
  const pressed = async (): Promise<string> => (await tab.page.getByRole("group", { name: "picture" }).locator('[aria-pressed="true"]').allInnerTexts()).join();
  const standing = async (kind: string): Promise<number> => {
    const { number } = await tab.shows((v) => v.kind === kind, `a standing picture: ${kind}`);
    assert.equal(await pressed(), kind);
    const came = await received(tab);
    await until(async () => (await received(tab)) > came + 40, "the run going on");
    assert.deepEqual([(await tab.view()).number, (await tab.view()).kind], [number, kind], "it moves while it is paused");
    await tab.text(".top .link", /paused/);
    return number;
  };
  await tab.shows((v) => v.kind === "event", "an event");
  await tab.page.getByRole("button", { name: "pause" }).first().click();
  const event = await standing("event");
  await choose("sum");
  assert.ok((await standing("sum")) > event, "the sum is as of now");
  await tab.text(".caption", /of [\d,]+ events/);
  await choose("max");
  await standing("max");
  await choose("event");
  assert.equal(await standing("event"), event, "the event that stood there");
  await choose("sum");
  await tab.shows((v) => v.kind === "sum", "the sum");
  await tab.page.keyboard.press("Space");
  await tab.text(".top .link", /live/);
  await tab.page.keyboard.press("Space");
  await tab.text(".top .link", /paused/);
  await choose("event"); // of which none stood there
  const other = await standing("event");
  await choose("max");
  await standing("max");
  await tab.page.locator(".event:not(.gone)").nth(1).click();
  await tab.shows((v) => v.kind === "event" && v.number !== other, "an event out of the list");
  assert.equal(await pressed(), "event");
  await tab.close();
});

test("a browser that does not read is dropped, and the others do not notice", async () => {
  const tab = await Tab.open(browser, drp.watching);
  await tab.shows((v) => v.number >= 0, "a picture");
  const slow = await new Promise<import("node:http").IncomingMessage>((open, fail) =>
    get(new URL("/v1/page/stream?image=event&bin=1&rate=30", drp.watching), { headers: { Authorization: `Bearer ${drp.watching.searchParams.get("token")}` } }, open).on("error", fail),
  );
  assert.equal(slow.statusCode, 200);
  slow.socket.pause();
  const was = (await tab.view()).number;
  await sleep(16_000); // longer than the server's patience
  const now = (await tab.view()).number;
  assert.ok(now > was + 80, `from ${was} to ${now} while another one was slow`);
  let ended = false;
  for (const name of ["end", "close", "error"]) slow.on(name, () => (ended = true));
  slow.socket.resume();
  slow.resume();
  await until(() => ended, "the end of the slow stream", () => "", 5_000);
  await tab.close();
});

test("without the token nothing is told", async () => {
  const wrong = new URL(drp.watching);
  wrong.searchParams.set("token", "wrong");
  const page = await (await browser.newContext()).newPage();
  const answer = await page.goto(wrong.href);
  assert.equal(answer?.status(), 401);
  assert.match(await page.innerText("body"), /token is missing or wrong/);
  for (const path of ["/app.js", "/v1/status", "/v1/page/stream", "/v1/page/events"]) {
    assert.equal((await fetch(new URL(path, wrong))).status, 401, path);
  }
  await page.context().close();
});

test("the list filters, and shows what is chosen", async () => {
  const tab = await Tab.open(browser, drp.watching);
  await tab.shows((v) => v.number >= 0, "a picture");
  await until(async () => (await tab.page.locator(".event").count()) > 20, "events in the list");
  await tab.page.keyboard.press("Space");
  const all = await tab.page.locator(".event").count();
  await tab.page.getByLabel("peaks ≥").fill("1");
  await until(async () => (await tab.page.locator(".event").count()) < all, "fewer events");
  const { events } = await drp.json<{ events: EventRow[] }>("/v1/page/events");
  const some = events.filter((row) => row.npeaks >= 1).map((row) => row.number);
  const none = events.filter((row) => row.npeaks === 0).map((row) => row.number);
  const listed = (await tab.page.locator(".event").evaluateAll((rows) => rows.map((row) => Number(row.id.replace("event-", "")))));
  assert.ok(some.some((n) => listed.includes(n)));
  assert.ok(!none.some((n) => listed.includes(n)));
  await tab.page.locator(".list").focus();
  await tab.page.keyboard.press("ArrowDown");
  const chosen = Number(((await tab.page.locator('.event[aria-selected="true"]').getAttribute("id")) ?? "").replace("event-", ""));
  await tab.shows((v) => v.number === chosen, "the event that was chosen");
  assert.ok(listed.includes(chosen));
  await tab.close();
});
