import type { OrderKey } from './tables.ts';

/** So many places before the front are kept apart; where there are more, the front goes back. */
const MOST_BEFORE = 1000;

/**
 * Where in a queue's order messages may be waiting: from the front on, and at single places before it
 * where some have come back. So what is held, on lease or delayed is passed over once, and not again
 * each time that a message before it comes back.
 */
export class Frontier {
  readonly #compare: (a: OrderKey, b: OrderKey) => number;
  #from: OrderKey;
  /** In order. */
  #before: OrderKey[] = [];

  /** @param compare says which of two places is earlier in the order, as for Array.sort */
  constructor(start: OrderKey, compare: (a: OrderKey, b: OrderKey) => number) {
    this.#from = start;
    this.#compare = compare;
  }

  get from(): OrderKey {
    return this.#from;
  }

  get before(): readonly OrderKey[] {
    return this.#before;
  }

  /** From `from` to here nothing waits. */
  advance(to: OrderKey): void {
    this.#from = to;
  }

  /** Here, before the front, nothing waits any more. */
  forget(place: OrderKey): void {
    this.#before = this.#before.filter((each) => each !== place);
  }

  /** Something waits here. */
  notice(place: OrderKey): void {
    if (this.#compare(place, this.#from) >= 0) return;
    const at = this.#indexOf(place);
    const found = this.#before[at];
    if (found && this.#compare(found, place) === 0) return;
    this.#before.splice(at, 0, place);
    if (this.#before.length > MOST_BEFORE) this.noticeFrom(this.#before[0] as OrderKey);
  }

  /** Something waits here, and at places behind it. */
  noticeFrom(place: OrderKey): void {
    if (this.#compare(place, this.#from) >= 0) return;
    this.#from = place;
    this.#before = this.#before.filter((each) => this.#compare(each, place) < 0);
  }

  /** Where in `before` the place stands, or would stand. */
  #indexOf(place: OrderKey): number {
    let low = 0;
    let high = this.#before.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#compare(this.#before[middle] as OrderKey, place) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
