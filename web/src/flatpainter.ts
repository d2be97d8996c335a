import type { Paints } from "./painter";
import { maskBad, noPixel } from "./protocol";
import { type Size, toScreen, type View } from "./view";

const stripes = [0x452ec3, 0x2a1c77]; // of the mask: blue, green and red, as a little-endian number has them

// A FlatPainter draws as a Painter does, pixel by pixel and without a graphics card, for browsers that have no WebGL 2: those of a
// remote desktop often have none.
export class FlatPainter implements Paints {
  private readonly ctx: CanvasRenderingContext2D;
  private readonly flat: CanvasRenderingContext2D; // the picture, a point for each of its places
  private image = { rows: 1, cols: 1, pixels: new Uint16Array([noPixel]) };
  private mask = { rows: 0, cols: 0, pixels: new Uint8Array() };
  private palette = new Uint32Array(65536);
  private stale = true;
  private masked = false;

  constructor(canvas: HTMLCanvasElement) {
    const [ctx, flat] = [canvas.getContext("2d"), document.createElement("canvas").getContext("2d")];
    if (!ctx || !flat) throw new Error("this browser draws no pictures: it has neither WebGL 2 nor a canvas");
    [this.ctx, this.flat] = [ctx, flat];
  }

  setImage(rows: number, cols: number, pixels: Uint16Array): void {
    this.image = { rows, cols, pixels: pixels as Uint16Array<ArrayBuffer> };
    this.stale = true;
  }

  setMask(rows: number, cols: number, pixels: Uint8Array): void {
    this.mask = { rows, cols, pixels: pixels as Uint8Array<ArrayBuffer> };
    this.stale = true;
  }

  setPalette(colours: Uint8Array): void {
    this.palette = new Uint32Array(colours.slice().buffer);
    this.stale = true;
  }

  draw(view: View, picture: Size, screen: Size, mask: boolean): void {
    if (this.stale || mask !== this.masked) this.colour(mask);
    const a = toScreen({ x: 0, y: 0 }, view, screen);
    const b = toScreen({ x: picture.width, y: picture.height }, view, screen);
    const { width, height } = this.ctx.canvas;
    this.ctx.clearRect(0, 0, width, height);
    this.ctx.imageSmoothingEnabled = false;
    const [x, y] = [width / screen.width, height / screen.height];
    this.ctx.drawImage(this.flat.canvas, a.x * x, a.y * y, (b.x - a.x) * x, (b.y - a.y) * y);
  }

  private colour(mask: boolean): void {
    const { rows, cols, pixels } = this.image;
    this.flat.canvas.width = cols;
    this.flat.canvas.height = rows;
    const data = this.flat.createImageData(cols, rows);
    const to = new Uint32Array(data.data.buffer);
    for (let i = 0; i < to.length; i++) to[i] = this.palette[pixels[i]!]!;
    if (mask && this.mask.rows === rows && this.mask.cols === cols) {
      for (let i = 0; i < to.length; i++) {
        if (this.mask.pixels[i] === maskBad) to[i] = 0xff000000 | stripes[((i % cols) + Math.floor(i / cols)) & 1]!;
      }
    }
    this.flat.putImageData(data, 0, 0);
    this.stale = false;
    this.masked = mask;
  }
}
