interface Mark {
  time: number;
  value: number;
}

/** Milliseconds. The least time over which a rate is taken. */
const LEAST = 5000;

/**
 * The rate over the last seconds. The time over which it is taken grows with the time since the beginning, so
 * that work of minutes for each message has a rate, too.
 */
export class Rate {
  readonly #begun: number;
  #older: Mark;
  #newer: Mark;

  /** @param begun when it was at 0, in ms */
  constructor(begun: number) {
    this.#begun = begun;
    this.#older = { time: begun, value: 0 };
    this.#newer = this.#older;
  }

  /** @param time when `value` was reached, later than it began */
  perSecond(value: number, time: number): number {
    const window = Math.max(LEAST, (time - this.#begun) / 4);
    // While nothing is done the marks stay, so that the rate falls off slowly.
    if (value > this.#newer.value && time - this.#newer.time >= window) {
      this.#older = this.#newer;
      this.#newer = { time, value };
    }
    return (1000 * (value - this.#older.value)) / (time - this.#older.time);
  }
}
