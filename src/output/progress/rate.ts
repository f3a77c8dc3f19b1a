interface Mark {
  time: number;
  value: number;
}

/** In ms, for how long at least what was done is looked at. */
const LEAST = 5000;

/**
 * How fast something goes: over the last seconds, and over the longer the longer it has been going,
 * so that what takes minutes for each has a rate, too.
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
