import { Front } from './front.ts';
import type { BatchRow, Place } from './tables.ts';

interface Way {
  start: Place;
  /** From the id of a batch to where the next one may be. */
  step: 1 | -1;
  compare: (a: Place, b: Place) => number;
  /** The batch that is ready at a place, or the next one behind it. */
  next: (place: Place) => BatchRow | undefined;
  /** The batch at a place, be it ready or not. */
  at: (place: Place) => BatchRow | undefined;
  /** Whether messages wait in a batch that is ready. */
  isWaiting: (row: BatchRow) => boolean;
}

/** An order of a queue's batches in which those are found that messages wait in. */
export class Order {
  readonly #way: Way;
  readonly #front: Front;

  constructor(way: Way) {
    this.#way = way;
    this.#front = new Front(way.start, way.compare);
  }

  /** Messages wait here, again or for the first time. */
  notice(place: Place): void {
    this.#front.notice(place);
  }

  /** Messages wait here and behind it. */
  noticeFrom(place: Place): void {
    this.#front.noticeFrom(place);
  }

  /** The batches that messages wait in. */
  *waiting(): Generator<BatchRow> {
    const { next, step, at, isWaiting } = this.#way;
    for (const place of this.#front.before) {
      const row = at(place);
      if (row && isWaiting(row)) yield row;
      else this.#front.forget(place);
    }
    let place = this.#front.from;
    let skipping = true;
    for (let row = next(place); row !== undefined; row = next(place)) {
      if (isWaiting(row)) {
        if (skipping) this.#front.advance({ priority: row.priority, first: row.first });
        skipping = false;
        yield row;
      }
      place = { priority: row.priority, first: row.first + step };
    }
    if (skipping) this.#front.advance(place);
  }
}
