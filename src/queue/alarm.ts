import { after, type Timer } from '../timer.ts';

/** Rings at the earliest of the times that were set since the last ring. */
export class Alarm {
  readonly #ring: (late: number) => void;
  readonly #now: () => number;
  #time = Infinity;
  #timer: Timer | undefined;

  /**
   * @param ring called with the milliseconds by which it is late, because the process or the machine stood still
   * @param now the clock of the times that are set, in ms
   */
  constructor(ring: (late: number) => void, now: () => number) {
    this.#ring = ring;
    this.#now = now;
  }

  set(time: number): void {
    if (time >= this.#time) return;
    this.clear();
    this.#time = time;
    const wait = Math.max(1, time - this.#now());
    const due = this.#now() + wait;
    this.#timer = after(wait, () => {
      this.#time = Infinity;
      this.#ring(this.#now() - due);
    });
  }

  clear(): void {
    this.#timer?.clear();
    this.#time = Infinity;
  }
}
