import { now as running } from '../clock.ts';
import { after, type Timer } from '../timer.ts';

/** Rings at the earliest of the times for which it was set since the last ring. */
export class Alarm {
  readonly #ring: (late: number) => void;
  readonly #now: () => number;
  #time = Infinity;
  #timer: Timer | undefined;

  /**
   * @param ring called with the milliseconds by which it is late, because the process or the machine stood still
   * @param now a clock that nobody sets, in ms
   */
  constructor(ring: (late: number) => void, now: () => number = running) {
    this.#ring = ring;
    this.#now = now;
  }

  /** Sets it to ring in so many milliseconds, at the earliest in one. */
  set(milliseconds: number): void {
    const wait = Math.max(1, milliseconds);
    const time = this.#now() + wait;
    if (time >= this.#time) return;
    this.clear();
    this.#time = time;
    this.#timer = after(wait, () => {
      this.#time = Infinity;
      this.#ring(this.#now() - time);
    });
  }

  clear(): void {
    this.#timer?.clear();
    this.#time = Infinity;
  }
}
