import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { launch, Tab } from "./browser";
import { Drp, until } from "./process";

// What those need who do not see the page, or not well: names, roles, contrast, sizes.

let drp: Drp;
let browser: Browser;

before(async () => {
  browser = await launch();
  drp = await Drp.start("-p", "scripts/hits.py", "-s", "sim:segments=4,hits=0.5,events=0,hz=20,bank=4", "--hits", "peakfinder8", "--rate", "20", "--http", "127.0.0.1:0");
  await drp.begun();
});

after(async () => {
  await browser?.close();
  await drp?.stop();
});

async function full(tab: Tab): Promise<void> {
  await tab.shows((v) => v.number >= 0, "a picture");
  await until(async () => (await tab.page.locator(".event").count()) > 3, "events");
  await tab.text(".strips .line1", /\d/);
  await tab.text(".live", /hits\.min_snr/);
}

test("all has a name and a role", async () => {
  const tab = await Tab.open(browser, drp.steering);
  await full(tab);
  const wrong = await tab.page.evaluate(() => {
    const found: string[] = [];
    const say = (el: Element, what: string): number => found.push(`${el.outerHTML.slice(0, 100)}: ${what}`);
    const visible = (el: Element): boolean => el.getClientRects().length > 0;
    const ids = new Map<string, number>();
    for (const el of document.querySelectorAll("[id]")) ids.set(el.id, (ids.get(el.id) ?? 0) + 1);
    for (const [id, n] of ids) if (n > 1) found.push(`${n} elements have the id ${id}`);
    for (const el of document.querySelectorAll("[aria-labelledby], [aria-activedescendant], label[for]")) {
      for (const name of ["aria-labelledby", "aria-activedescendant", "for"]) {
        for (const id of (el.getAttribute(name) ?? "").split(" ").filter(Boolean)) if (!document.getElementById(id)) say(el, `${name} names ${id}, which is not there`);
      }
    }
    for (const el of document.querySelectorAll<HTMLElement>("button, input, select, summary, a, [tabindex], [role=img], [role=group], [role=toolbar], section")) {
      if (!visible(el)) continue;
      const by = el.getAttribute("aria-labelledby");
      const labels = [...((el as HTMLInputElement).labels ?? [])].map((l) => l.textContent);
      const own = /^(BUTTON|SUMMARY|A)$/.test(el.tagName) ? el.textContent : "";
      if (!(el.getAttribute("aria-label") || (by && document.getElementById(by)?.textContent) || labels.join("") || own)?.trim()) say(el, "no name");
    }
    for (const el of document.querySelectorAll<HTMLElement>("[tabindex]")) {
      if (!el.getAttribute("role")) say(el, "no role, and can have the focus");
      if (el.tabIndex > 0) say(el, "an order of its own");
    }
    for (const el of document.querySelectorAll("canvas")) if (!el.closest("[role=img], [aria-hidden=true]")) say(el, "a canvas without role or words");
    for (const el of document.querySelectorAll("[role=option]")) if (!el.parentElement?.matches("[role=listbox]")) say(el, "an option outside of a list");
    for (const el of document.querySelectorAll("table")) if (!el.querySelector("th[scope]")) say(el, "a table without heads");
    const levels = [...document.querySelectorAll("h1, h2, h3, h4")].filter(visible).map((h) => Number(h.tagName[1]));
    levels.forEach((level, i) => level > (levels[i - 1] ?? 0) + 1 && found.push(`a heading of level ${level} after one of ${levels[i - 1]}`));
    for (const [selector, n] of [["html[lang]", 1], ["main", 1], ["body header.top", 1], ["h1", 1], ["title", 1]] as const) {
      if (document.querySelectorAll(selector).length !== n) found.push(`not ${n} of ${selector}`);
    }
    return found;
  });
  assert.deepEqual(wrong, []);
  await tab.close();
});

// faint gives texts that differ from what is behind them by less than WCAG's 4.5, or 3 where they are large, and controls that cannot be used aside.
async function faint(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    type Colour = [number, number, number, number];
    const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true })!;
    const colour = (css: string): Colour => {
      probe.clearRect(0, 0, 1, 1);
      probe.fillStyle = css;
      probe.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = probe.getImageData(0, 0, 1, 1).data;
      return [r!, g!, b!, a! / 255];
    };
    const over = (a: Colour, b: Colour): Colour => [0, 1, 2].map((i) => a[i]! * a[3] + b[i]! * (1 - a[3])).concat(1) as Colour;
    const light = (c: Colour): number => [0.2126, 0.7152, 0.0722].reduce((sum, w, i) => sum + w * ((c[i]! / 255) <= 0.04045 ? c[i]! / 255 / 12.92 : ((c[i]! / 255 + 0.055) / 1.055) ** 2.4), 0);
    const behind = (el: Element | null): Colour => {
      if (!el) return [255, 255, 255, 1];
      const own = colour(getComputedStyle(el).backgroundColor);
      return own[3] === 1 ? own : over(own, behind(el.parentElement));
    };
    const found = new Set<string>();
    for (const el of document.querySelectorAll<HTMLElement>("body *")) {
      const text = [...el.childNodes].filter((n) => n.nodeType === 3).map((n) => n.textContent!.trim()).join(" ").trim() || (el as HTMLInputElement).value || "";
      if (text === "" || el.getClientRects().length === 0 || el.closest(":disabled, .above, dialog:not([open]), .stage, option")) continue;
      const style = getComputedStyle(el);
      const [back, front] = [behind(el), colour(style.color)];
      const [a, b] = [light(over(front, back)), light(back)].sort((x, y) => y - x);
      const ratio = (a! + 0.05) / (b! + 0.05);
      const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
      if (ratio < (large ? 3 : 4.5)) found.add(`${el.tagName}.${el.className} "${text.slice(0, 30)}": ${ratio.toFixed(2)}`);
    }
    return [...found];
  });
}

for (const dark of [false, true]) {
  test(`texts stand out from what is behind them, ${dark ? "dark" : "light"}`, async () => {
    const tab = await Tab.open(browser, drp.steering, { dark });
    await full(tab);
    await tab.page.keyboard.press("Space");
    await tab.page.locator(".event").first().click();
    assert.deepEqual(await faint(tab.page), []);
    await tab.page.keyboard.press("?");
    await tab.text("dialog[open]", /Keys/);
    assert.deepEqual(await faint(tab.page), []);
    await tab.close();
  });
}

for (const [width, height] of [[1024, 768], [1920, 1080]] as const) {
  for (const dark of [false, true]) {
    test(`a screen of ${width} pixels shows all, ${dark ? "dark" : "light"}`, async () => {
      const tab = await Tab.open(browser, drp.steering, { width, height, dark });
      await full(tab);
      const wrong = await tab.page.evaluate(() => {
        const found: string[] = [];
        const over = document.documentElement.scrollWidth - innerWidth;
        if (over > 0) found.push(`${over} pixels too wide`);
        for (const el of document.querySelectorAll<HTMLElement>(".panel, .top, button, select, input, h2, .stage, .badge")) {
          const [box, at] = [el.getBoundingClientRect(), el.closest(".panel")?.getBoundingClientRect()];
          if (box.width > 0 && (box.right > innerWidth + 1 || (at && !el.closest(".scroll, .list") && box.right > at.right + 1))) found.push(`${el.className || el.tagName} "${el.innerText.slice(0, 20)}" sticks out`);
          if (/^(BUTTON|H2)$/.test(el.tagName) && el.scrollWidth > el.clientWidth + 1) found.push(`${el.innerText} is cut`);
        }
        return found;
      });
      assert.deepEqual(wrong, []);
      await tab.keep(`${width}-${dark ? "dark" : "light"}`);
      await tab.close();
    });
  }
}
