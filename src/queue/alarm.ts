/** A timer waits 2^31-1 ms at most; what is due later is looked at then. */
const LONGEST = 2 ** 31 - 1;

/** Rings at the earliest of the times that were set since it rang last. */
export class Alarm {
  readonly #ring: () => void;
  #time = Infinity;
  #timer: NodeJS.Timeout | undefined;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  /** @param time on the clock of which `now` is the time */
  set(time: number, now: number): void {
    if (time >= this.#time) return;
    this.clear();
    this.#time = time;
    this.#timer = setTimeout(
      () => {
        this.#time = Infinity;
        this.#ring();
      },
      Math.min(LONGEST, Math.max(1, time - now)),
    );
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#time = Infinity;
  }
}
