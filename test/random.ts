/** Mulberry32: the same numbers for the same seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * limit);
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }
}

/** MQ_TEST_SEED=N runs what failed with that seed again, and nothing else. */
export function seeds(fixed: number, random: number): number[] {
  const { MQ_TEST_SEED: seed } = process.env;
  if (seed) return [Number(seed)];
  const any = () => Math.floor(Math.random() * 2 ** 31);
  return [...Array.from({ length: fixed }, (_, i) => i + 1), ...Array.from({ length: random }, any)];
}
