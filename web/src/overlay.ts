import type { Layers } from "./preferences";
import type { ImageHead } from "./protocol";
import { type Point, type Size, toScreen, type View } from "./view";

// drawOverlay draws peaks and rings above the picture, light on a dark edge: legible on any colour map.
export function drawOverlay(ctx: CanvasRenderingContext2D, head: ImageHead, layers: Layers, view: View, screen: Size): void {
  if (layers.rings && head.centre) drawRings(ctx, head, { x: head.centre[0], y: head.centre[1] }, view, screen);
  if (layers.peaks) drawPeaks(ctx, head, view, screen);
}

function edged(ctx: CanvasRenderingContext2D, path: Path2D, colour: string, width: number, edge: number): void {
  ctx.strokeStyle = `rgb(0 0 0 / ${edge})`;
  ctx.lineWidth = width + 2;
  ctx.stroke(path);
  ctx.strokeStyle = colour;
  ctx.lineWidth = width;
  ctx.stroke(path);
}

function drawPeaks(ctx: CanvasRenderingContext2D, head: ImageHead, view: View, screen: Size): void {
  const radius = Math.max(6, 4 * view.zoom);
  const circles = new Path2D();
  for (const [x, y] of head.peaks ?? []) {
    const at = toScreen({ x: x + 0.5, y: y + 0.5 }, view, screen); // x and y name the middle of a pixel
    circles.moveTo(at.x + radius, at.y);
    circles.arc(at.x, at.y, radius, 0, 2 * Math.PI);
  }
  edged(ctx, circles, "#ff5470", 1.5, 0.65);
}

function drawRings(ctx: CanvasRenderingContext2D, head: ImageHead, centre: Point, view: View, screen: Size): void {
  const at = toScreen({ x: centre.x + 0.5, y: centre.y + 0.5 }, view, screen);
  const path = new Path2D();
  for (const [dx, dy] of [[6, 0], [0, 6]] as const) {
    path.moveTo(at.x - dx, at.y - dy);
    path.lineTo(at.x + dx, at.y + dy);
  }
  ctx.font = "11px system-ui, sans-serif";
  ctx.textAlign = "center";
  for (const ring of head.rings ?? []) {
    const r = ring.r * view.zoom;
    path.moveTo(at.x + r, at.y);
    path.arc(at.x, at.y, r, 0, 2 * Math.PI);
  }
  edged(ctx, path, "rgb(255 255 255 / 0.7)", 0.8, 0.3);
  for (const ring of head.rings ?? []) {
    const place = seen(at, ring.r * view.zoom, screen);
    if (place) label(ctx, `${ring.d} ${ring.unit}`, place);
  }
}

const margin = { x: 24, y: 12 }; // of a label to the edge of the screen, CSS pixels

// seen finds where the label of a ring can be read: on its top, else beside it, below it, or where it leaves the screen.
export function seen(at: Point, r: number, screen: Size): Point | null {
  for (let turn = 0; turn < 32; turn++) {
    const angle = (turn % 2 === 0 ? turn : -turn - 1) * (Math.PI / 32) - Math.PI / 2; // from the top to both sides
    const p = { x: at.x + r * Math.cos(angle), y: at.y + r * Math.sin(angle) - 4 };
    if (p.x > margin.x && p.x < screen.width - margin.x && p.y > margin.y && p.y < screen.height - margin.y / 2) return p;
  }
  return null;
}

function label(ctx: CanvasRenderingContext2D, text: string, at: Point): void {
  ctx.lineWidth = 3;
  ctx.strokeStyle = "rgb(0 0 0 / 0.75)";
  ctx.strokeText(text, at.x, at.y);
  ctx.fillStyle = "#ffffff";
  ctx.fillText(text, at.x, at.y);
}
