import { FlatPainter } from "./flatpainter";
import type { Shown } from "./kept";
import type { Model } from "./model";
import { drawOverlay } from "./overlay";
import { NoWebGL, Painter, type Paints } from "./painter";
import { noPixel } from "./protocol";
import { palette } from "./scale";
import { binFor, fit, moved, type Point, type Size, toPicture, type View, zoomed } from "./view";

// What lies under the cursor: from the picture as it was sent, which is a mean where it is binned.
export interface Under {
  x: number; // pixel of full resolution
  y: number;
  value: number | null; // null where there is none
  mean: boolean;
}

// An ImageView owns the two canvases of the picture: one for pixels, one above it for what is drawn on them. It draws when the
// browser is about to show a frame, and only then.
export class ImageView {
  private painter: Paints | null = null;
  private view: View | null = null; // null is all of the picture, whatever its size
  private picture: Size = { width: 1, height: 1 };
  private screen: Size = { width: 1, height: 1 };
  private drawing = 0;
  private fresh = { image: true, palette: true, mask: true };
  private binTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly endings: (() => void)[];

  constructor(
    private readonly model: Model,
    private readonly canvas: HTMLCanvasElement,
    private readonly above: HTMLCanvasElement,
    private readonly trouble: (text: string) => void,
  ) {
    const { look, layers } = model.preferences;
    const sized = new ResizeObserver(() => this.resize());
    sized.observe(canvas);
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => this.begin());
    this.endings = [
      () => sized.disconnect(),
      model.image.listen(() => this.renew("image", "palette")),
      look.listen(() => this.renew("palette")),
      layers.listen((on) => (on.mask ? void model.loadMask() : undefined, this.renew())),
      model.mask.listen(() => this.renew("mask")),
    ];
    this.begin();
    this.resize();
  }

  close(): void {
    for (const end of this.endings) end();
    cancelAnimationFrame(this.drawing);
    clearTimeout(this.binTimer);
  }

  zoom(factor: number, at?: Point): void {
    const point = at ?? { x: this.screen.width / 2, y: this.screen.height / 2 };
    this.see(zoomed(this.current(), factor, point, this.picture, this.screen));
  }

  move(dx: number, dy: number): void {
    this.see(moved(this.current(), dx, dy, this.picture));
  }

  all(): void {
    this.see(null);
  }

  // exact shows one pixel of the picture on one of the screen.
  exact(): void {
    this.zoom(1 / (devicePixelRatio * this.current().zoom));
  }

  under(at?: Point): Under | null {
    const image = this.model.image.value;
    if (!image) return null;
    const p = toPicture(at ?? { x: this.screen.width / 2, y: this.screen.height / 2 }, this.current(), this.screen);
    const [x, y] = [Math.floor(p.x), Math.floor(p.y)];
    const { rows, cols, bin, offset, scale } = image.head;
    const [row, col] = [Math.floor(y / bin), Math.floor(x / bin)];
    if (row < 0 || col < 0 || row >= rows || col >= cols) return null;
    const level = image.pixels[row * cols + col]!;
    return { x, y, value: level === noPixel ? null : offset + scale * level, mean: bin > 1 };
  }

  private begin(): void {
    try {
      this.painter = paints(this.canvas);
      this.renew("image", "palette", "mask");
    } catch (err) {
      this.painter = null;
      this.trouble((err as Error).message);
    }
  }

  private current(): View {
    return this.view ?? fit(this.picture, this.screen);
  }

  private see(view: View | null): void {
    this.view = view;
    this.renew();
    this.chooseBin();
  }

  // chooseBin waits until zooming has come to rest: each bin is another stream.
  private chooseBin(): void {
    clearTimeout(this.binTimer);
    this.binTimer = setTimeout(() => this.model.autoBin.set(binFor(this.current().zoom, devicePixelRatio)), 300);
  }

  private resize(): void {
    const { clientWidth, clientHeight } = this.canvas;
    if (clientWidth === 0 || clientHeight === 0) return;
    this.screen = { width: clientWidth, height: clientHeight };
    for (const canvas of [this.canvas, this.above]) {
      canvas.width = Math.round(clientWidth * devicePixelRatio);
      canvas.height = Math.round(clientHeight * devicePixelRatio);
    }
    this.chooseBin();
    this.draw(); // at once: the canvas has become empty, and would be seen so
  }

  private renew(...what: (keyof typeof this.fresh)[]): void {
    for (const part of what) this.fresh[part] = true;
    if (this.drawing === 0) this.drawing = requestAnimationFrame(() => this.draw());
  }

  private draw(): void {
    cancelAnimationFrame(this.drawing);
    this.drawing = 0;
    const image = this.model.image.value;
    if (!image || !this.painter) return;
    try {
      this.upload(image, this.painter);
      const { layers } = this.model.preferences;
      // The last row and column of places may lack some of their pixels: the texture sticks out of the picture there.
      const texture = { width: image.head.cols * image.head.bin, height: image.head.rows * image.head.bin };
      this.painter.draw(this.current(), texture, this.screen, layers.value.mask);
      this.drawAbove(image);
    } catch (err) {
      this.trouble((err as Error).message);
    }
  }

  private upload({ head, pixels }: Shown, painter: Paints): void {
    const { look, layers } = this.model.preferences;
    if (this.fresh.image) {
      painter.setImage(head.rows, head.cols, pixels);
      const size = { width: head.full[1], height: head.full[0] };
      if (size.width !== this.picture.width || size.height !== this.picture.height) {
        this.view = null; // another detector
        this.chooseBin();
      }
      this.picture = size;
      if (layers.value.mask) void this.model.loadMask();
      this.trouble("");
    }
    if (this.fresh.palette) painter.setPalette(palette(pixels, head, look.value));
    const mask = this.model.mask.value;
    if (this.fresh.mask && mask) painter.setMask(mask.head.rows, mask.head.cols, mask.pixels);
    this.fresh = { image: false, palette: false, mask: false };
  }

  private drawAbove({ head }: Shown): void {
    const ctx = this.above.getContext("2d");
    if (!ctx) return;
    ctx.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    ctx.clearRect(0, 0, this.screen.width, this.screen.height);
    const view = this.current();
    drawOverlay(ctx, head, this.model.preferences.layers.value, view, this.screen);
    // Where what lies, for tests and for whoever writes an extension.
    Object.assign(this.canvas.dataset, { number: head.number, kind: head.kind, bin: head.bin, x: view.x, y: view.y, zoom: view.zoom });
  }
}

function paints(canvas: HTMLCanvasElement): Paints {
  try {
    return new Painter(canvas);
  } catch (err) {
    if (err instanceof NoWebGL) return new FlatPainter(canvas);
    throw err;
  }
}
