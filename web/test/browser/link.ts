import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, Socket } from "node:net";

const tick = 10; // ms
const room = 256 << 10; // bytes that wait for the browser

// A Link is the way from a browser to a server, as a tunnel of ssh is: what the server says comes through it at so many bytes
// per second, of all connections together.
export class Link {
  private readonly pairs = new Set<{ near: Socket; far: Socket }>();
  private turn = 0;
  private readonly timer = setInterval(() => this.carry(), tick);
  private last = performance.now();
  private free = 0; // bytes that may pass now

  private constructor(private readonly server: Server, private readonly to: URL, public speed: number) {
    server.on("connection", (near: Socket) => this.join(near));
  }

  static async open(to: URL, speed: number): Promise<Link> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Link(server, to, speed);
  }

  // way is the same address through the link.
  get way(): URL {
    const way = new URL(this.to);
    way.port = String((this.server.address() as AddressInfo).port);
    return way;
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    for (const { near, far } of this.pairs) for (const socket of [near, far]) socket.destroy();
    this.server.close();
    await once(this.server, "close");
  }

  private join(near: Socket): void {
    const far = connect(Number(this.to.port), this.to.hostname);
    const pair = { near, far };
    this.pairs.add(pair);
    near.pipe(far);
    far.on("readable", () => this.carry());
    for (const socket of [near, far]) {
      socket.on("error", () => undefined); // it closes
      socket.on("close", () => {
        this.pairs.delete(pair);
        near.destroy();
        far.destroy();
      });
    }
  }

  private carry(): void {
    const now = performance.now();
    this.free = Math.min(this.free + (this.speed * (now - this.last)) / 1000, (this.speed * 5 * tick) / 1000);
    this.last = now;
    const pairs = [...this.pairs];
    for (let i = 0; i < pairs.length; i++) {
      const { near, far } = pairs[(i + this.turn) % pairs.length]!;
      const size = Math.min(Math.floor(this.free), far.readableLength, room - near.writableLength);
      const part = size > 0 ? (far.read(size) as Buffer | null) : null;
      if (part === null) continue;
      near.write(part);
      this.free -= part.length;
    }
    this.turn++;
  }
}
