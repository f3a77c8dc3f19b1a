import { Frontier } from './frontier.ts';
import type { BatchRow, OrderKey } from './tables/table-rows.ts';

interface Way {
  start: OrderKey;
  /** The step from the id of a batch to the place where the next may be. */
  step: 1 | -1;
  compare: (a: OrderKey, b: OrderKey) => number;
  /** The batch that is ready at a place, or the next one behind it. */
  next: (place: OrderKey) => BatchRow | undefined;
  /** The batch at a place, be it ready or not. */
  at: (place: OrderKey) => BatchRow | undefined;
  /** Whether messages wait in a batch that is ready. */
  isWaiting: (row: BatchRow) => boolean;
}

/** An order of a queue's batches, which finds batches with waiting messages. */
export class Order {
  readonly #way: Way;
  readonly #frontier: Frontier;

  constructor(way: Way) {
    this.#way = way;
    this.#frontier = new Frontier(way.start, way.compare);
  }

  /** Messages wait at this place, again or for the first time. */
  notice(place: OrderKey): void {
    this.#frontier.notice(place);
  }

  /** Messages wait at this place and behind it. */
  noticeFrom(place: OrderKey): void {
    this.#frontier.noticeFrom(place);
  }

  /** The batches with waiting messages. */
  *waiting(): Generator<BatchRow> {
    const { next, step, at, isWaiting } = this.#way;
    for (const place of this.#frontier.before) {
      const row = at(place);
      if (row && isWaiting(row)) yield row;
      else this.#frontier.forget(place);
    }
    let place = this.#frontier.from;
    let skipping = true;
    for (let row = next(place); row !== undefined; row = next(place)) {
      if (isWaiting(row)) {
        if (skipping) this.#frontier.advance({ priority: row.priority, first: row.first });
        skipping = false;
        yield row;
      }
      place = { priority: row.priority, first: row.first + step };
    }
    if (skipping) this.#frontier.advance(place);
  }
}
