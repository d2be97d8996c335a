import { maskBad, noPixel } from "./protocol";
import { type Size, toScreen, type View } from "./view";

const vertex = `#version 300 es
uniform vec4 box; // left, top, right, bottom in clip space
uniform vec2 size;
out vec2 at;
void main() {
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
  at = corner * size;
  gl_Position = vec4(mix(box.xy, box.zw, corner), 0.0, 1.0);
}`;

const fragment = `#version 300 es
precision highp float;
precision highp int;
precision highp usampler2D;
uniform usampler2D image;
uniform usampler2D mask;
uniform sampler2D palette;
uniform bool masked;
in vec2 at;
out vec4 colour;
void main() {
  ivec2 pixel = clamp(ivec2(floor(at)), ivec2(0), textureSize(image, 0) - 1);
  uint level = texelFetch(image, pixel, 0).r;
  colour = texelFetch(palette, ivec2(int(level & 255u), int(level >> 8)), 0);
  if (masked && texelFetch(mask, pixel, 0).r == ${maskBad}u) {
    bool stripe = (int(gl_FragCoord.x + gl_FragCoord.y) & 7) < 4;
    colour = vec4(0.85, 0.2, 0.3, 1.0) * (stripe ? 0.9 : 0.55);
  }
}`;

// What draws pictures: pixels and their colours are set when they change, and draw puts the picture, which has this size at full
// resolution, where the view says.
export interface Paints {
  setImage(rows: number, cols: number, pixels: Uint16Array): void;
  setMask(rows: number, cols: number, pixels: Uint8Array): void;
  setPalette(colours: Uint8Array): void;
  draw(view: View, picture: Size, screen: Size, mask: boolean): void;
}

// NoWebGL says that a browser has none, or does not allow it.
export class NoWebGL extends Error {}

// A Painter draws a picture of 16-bit pixels. Pixels go to the graphics card as they came, in a texture of unsigned integers;
// a palette of 65536 colours does the rest, so a change of scale or colours costs no pixel.
export class Painter implements Paints {
  private readonly gl: WebGL2RenderingContext;
  private readonly places: Record<"box" | "size" | "image" | "mask" | "palette" | "masked", WebGLUniformLocation | null>;
  private readonly textures: { image: WebGLTexture; mask: WebGLTexture; palette: WebGLTexture };
  private rows = 0;
  private cols = 0;
  private maskRows = 0;
  private maskCols = 0;

  constructor(canvas: HTMLCanvasElement) {
    const gl = canvas.getContext("webgl2", { alpha: true, antialias: false, depth: false });
    if (!gl) throw new NoWebGL("this browser has no WebGL 2");
    this.gl = gl;
    const program = link(gl);
    gl.useProgram(program);
    const place = (name: string): WebGLUniformLocation | null => gl.getUniformLocation(program, name);
    this.places = { box: place("box"), size: place("size"), image: place("image"), mask: place("mask"), palette: place("palette"), masked: place("masked") };
    this.textures = { image: texture(gl, 0), mask: texture(gl, 1), palette: texture(gl, 2) };
    gl.uniform1i(this.places.image, 0);
    gl.uniform1i(this.places.mask, 1);
    gl.uniform1i(this.places.palette, 2);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    this.setMask(1, 1, new Uint8Array([0]));
    this.setImage(1, 1, new Uint16Array([noPixel]));
    this.setPalette(new Uint8Array(4 * 65536));
  }

  setImage(rows: number, cols: number, pixels: Uint16Array): void {
    const { gl } = this;
    const most = gl.getParameter(gl.MAX_TEXTURE_SIZE) as number;
    if (rows > most || cols > most) throw new Error(`a picture of ${rows} x ${cols} pixels: this graphics card draws ${most} at the most, choose a coarser bin`);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.textures.image);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R16UI, cols, rows, 0, gl.RED_INTEGER, gl.UNSIGNED_SHORT, pixels);
    this.rows = rows;
    this.cols = cols;
  }

  setMask(rows: number, cols: number, pixels: Uint8Array): void {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, this.textures.mask);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8UI, cols, rows, 0, gl.RED_INTEGER, gl.UNSIGNED_BYTE, pixels);
    this.maskRows = rows;
    this.maskCols = cols;
  }

  setPalette(colours: Uint8Array): void {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE2);
    gl.bindTexture(gl.TEXTURE_2D, this.textures.palette);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, 256, 256, 0, gl.RGBA, gl.UNSIGNED_BYTE, colours);
  }

  draw(view: View, picture: Size, screen: Size, mask: boolean): void {
    const { gl } = this;
    const a = toScreen({ x: 0, y: 0 }, view, screen);
    const b = toScreen({ x: picture.width, y: picture.height }, view, screen);
    const clip = (x: number, y: number): [number, number] => [(2 * x) / screen.width - 1, 1 - (2 * y) / screen.height];
    gl.viewport(0, 0, gl.drawingBufferWidth, gl.drawingBufferHeight);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.uniform4f(this.places.box, ...clip(a.x, a.y), ...clip(b.x, b.y));
    gl.uniform2f(this.places.size, this.cols, this.rows);
    gl.uniform1i(this.places.masked, mask && this.maskRows === this.rows && this.maskCols === this.cols ? 1 : 0);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }
}

function link(gl: WebGL2RenderingContext): WebGLProgram {
  const program = gl.createProgram();
  for (const [type, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]] as const) {
    const shader = gl.createShader(type)!;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) {
      throw new Error(`the picture cannot be drawn: ${gl.getShaderInfoLog(shader)}`);
    }
  }
  gl.linkProgram(program);
  return program;
}

function texture(gl: WebGL2RenderingContext, unit: number): WebGLTexture {
  const made = gl.createTexture();
  gl.activeTexture(gl.TEXTURE0 + unit);
  gl.bindTexture(gl.TEXTURE_2D, made);
  for (const [name, what] of [[gl.TEXTURE_MIN_FILTER, gl.NEAREST], [gl.TEXTURE_MAG_FILTER, gl.NEAREST], [gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE], [gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE]] as const) {
    gl.texParameteri(gl.TEXTURE_2D, name, what);
  }
  return made;
}
