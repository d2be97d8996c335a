import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { decode, type Screen } from "./png";
import { screenshots, until } from "./process";

function executable(): string {
  const known = [process.env["CHROMIUM"], "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
  const found = known.find((path) => path && existsSync(path));
  if (!found) throw new Error("there is no Chromium: install it (Debian: chromium), or name one with $CHROMIUM");
  return found;
}

export async function launch(...more: string[]): Promise<Browser> {
  const sandbox = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ executablePath: executable(), args: [...sandbox, "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist", ...more] });
}

export interface View {
  number: number;
  kind: string;
  bin: number;
  x: number;
  y: number;
  zoom: number;
}

// A Tab is the page in a browser, and all that went wrong in it.
export class Tab {
  readonly wrong: string[] = [];
  allowed: RegExp | null = null; // what may be said on the console, since the test makes it happen

  private constructor(readonly page: Page) {}

  static async open(browser: Browser, url: URL, options: { dark?: boolean; width?: number; height?: number } = {}): Promise<Tab> {
    const context = await browser.newContext({
      viewport: { width: options.width ?? 1360, height: options.height ?? 850 },
      colorScheme: options.dark ? "dark" : "light",
      reducedMotion: "reduce",
    });
    const tab = new Tab(await context.newPage());
    const note = (text: string): void => {
      if (!tab.allowed?.test(text)) tab.wrong.push(text);
    };
    tab.page.on("console", (m) => ["error", "warning"].includes(m.type()) && note(`console: ${m.text()} ${m.location().url}`));
    tab.page.on("pageerror", (err) => note(`error: ${err.stack ?? err.message}`));
    await tab.page.addInitScript(() => {
      // Tests share their processors with what they look at, and a picture drawn without a graphics card takes a while.
      localStorage.setItem("drp.stream", JSON.stringify({ image: "event", bin: 0, rate: 4, hits: false }));
      document.addEventListener("securitypolicyviolation", (e) => console.error(`CSP: ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`));
    });
    const answer = await tab.page.goto(url.href);
    assert.equal(answer?.status(), 200);
    assert.match(answer!.headers()["content-security-policy"] ?? "", /default-src 'self'/);
    return tab;
  }

  // close fails when anything went wrong meanwhile.
  async close(): Promise<void> {
    await this.page.context().close();
    assert.deepEqual(this.wrong, []);
  }

  get picture(): ReturnType<Page["locator"]> {
    return this.page.locator(".picture .stage canvas").first();
  }

  async view(): Promise<View> {
    const data = await this.picture.evaluate((canvas) => ({ ...(canvas as HTMLElement).dataset }));
    return { number: Number(data["number"] ?? NaN), kind: data["kind"] ?? "", bin: Number(data["bin"]), x: Number(data["x"]), y: Number(data["y"]), zoom: Number(data["zoom"]) };
  }

  // shows waits for a picture.
  async shows(holds: (view: View) => boolean, what: string, limit?: number): Promise<View> {
    let view = await this.view();
    await until(async () => holds((view = await this.view())), what, () => `${JSON.stringify(view)}\n${this.wrong.join("\n")}`, limit);
    return view;
  }

  // screen is what is seen of the picture, with what lies above it.
  async screen(): Promise<Screen> {
    await this.drawn();
    return decode(await this.page.locator(".picture .stage").screenshot());
  }

  // drawn waits until what is known is on the screen.
  async drawn(): Promise<void> {
    await this.page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  }

  async keep(name: string): Promise<void> {
    await this.page.screenshot({ path: join(screenshots, name + ".png"), fullPage: true });
  }

  // text waits until a part of the page says something.
  async text(selector: string, wanted: RegExp): Promise<string> {
    let said = "";
    await until(async () => wanted.test((said = (await this.page.locator(selector).allInnerTexts()).join("\n"))), `${wanted} in ${selector}`, () => said);
    return said;
  }
}

// onScreen gives where a point of the picture is seen.
export function onScreen(view: View, screen: { width: number; height: number }, x: number, y: number): { x: number; y: number } {
  return { x: (x - view.x) * view.zoom + screen.width / 2, y: (y - view.y) * view.zoom + screen.height / 2 };
}
