/** The queues at which an owner has something to do, and for how many reasons. */
export class Presence {
  /** The number of owners at each queue. */
  readonly #totals: Map<string, number>;
  readonly #reasons = new Map<string, number>();

  /** @param totals shared by all owners */
  constructor(totals: Map<string, number>) {
    this.#totals = totals;
  }

  isAt(queue: string): boolean {
    return this.#reasons.has(queue);
  }

  /** Counts one more reason for the owner to be at the queue. */
  enter(queue: string): void {
    if (add(this.#reasons, queue, 1) === 1) add(this.#totals, queue, 1);
  }

  leave(queue: string): void {
    if (add(this.#reasons, queue, -1) === 0) add(this.#totals, queue, -1);
  }
}

/** Adds to a count; a count of 0 is not in the map. */
function add(counts: Map<string, number>, queue: string, by: number): number {
  const count = (counts.get(queue) ?? 0) + by;
  if (count === 0) counts.delete(queue);
  else counts.set(queue, count);
  return count;
}
