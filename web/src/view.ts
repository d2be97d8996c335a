// Where a picture lies on the screen. Coordinates of the picture are pixels of full resolution, x to the right and y down; the
// pixel in row r and column c covers x from c to c + 1. Those of the screen are CSS pixels of the canvas.

export interface Size {
  width: number;
  height: number;
}

export interface View {
  x: number; // of the picture, in the middle of the screen
  y: number;
  zoom: number; // CSS pixels of the screen for a pixel of the picture
}

export interface Point {
  x: number;
  y: number;
}

const deepest = 64;

export function fit(picture: Size, screen: Size): View {
  const zoom = Math.min(screen.width / picture.width, screen.height / picture.height);
  return { x: picture.width / 2, y: picture.height / 2, zoom: zoom > 0 && Number.isFinite(zoom) ? zoom : 1 };
}

export function toPicture(p: Point, view: View, screen: Size): Point {
  return { x: view.x + (p.x - screen.width / 2) / view.zoom, y: view.y + (p.y - screen.height / 2) / view.zoom };
}

export function toScreen(p: Point, view: View, screen: Size): Point {
  return { x: (p.x - view.x) * view.zoom + screen.width / 2, y: (p.y - view.y) * view.zoom + screen.height / 2 };
}

// zoomed keeps what lies under a point of the screen where it is.
export function zoomed(view: View, factor: number, at: Point, picture: Size, screen: Size): View {
  const least = fit(picture, screen).zoom / 2;
  const zoom = Math.min(Math.max(view.zoom * factor, least), deepest);
  const fixed = toPicture(at, view, screen);
  return within({ x: fixed.x - (at.x - screen.width / 2) / zoom, y: fixed.y - (at.y - screen.height / 2) / zoom, zoom }, picture);
}

export function moved(view: View, dx: number, dy: number, picture: Size): View {
  return within({ ...view, x: view.x + dx / view.zoom, y: view.y + dy / view.zoom }, picture);
}

// within keeps the middle of the screen on the picture, so that nobody loses it.
function within(view: View, picture: Size): View {
  return { ...view, x: Math.min(Math.max(view.x, 0), picture.width), y: Math.min(Math.max(view.y, 0), picture.height) };
}

// binFor gives the coarsest of the server's bins that still has a pixel for each pixel of the screen.
export function binFor(zoom: number, devicePixelRatio: number): number {
  const pixels = 1 / (zoom * devicePixelRatio);
  for (const bin of [8, 4, 2]) {
    if (pixels >= bin * 0.95) return bin; // a bin that is a little too coarse is not worth four times the bytes
  }
  return 1;
}
