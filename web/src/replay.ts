import { getJSON, post } from "./api";
import { Cell } from "./cell";
import type { Replay, StatusFrame } from "./protocol";

// Speeds that can be chosen; 0 is as fast as can be.
export const speeds = [0.1, 0.25, 0.5, 1, 2, 5, 10, 100, 1000, 0];

// ReplayControl knows where the replay of a recorded run is, null in a run that goes on, and moves it.
export class ReplayControl {
  readonly state = new Cell<Replay | null>(null);

  async refresh(): Promise<void> {
    this.state.set(await getJSON<Replay>("v1/replay"));
  }

  async post(change: Partial<Pick<Replay, "paused" | "speed" | "position" | "loop">> | { step: 1 | -1 }): Promise<void> {
    await post("v1/replay", change);
    await this.refresh();
  }

  // steers tells whether this page may move the replay.
  steers(status: StatusFrame | null): boolean {
    return this.state.value !== null && status?.rights.control === true;
  }
}
