import type { OrderKey } from './tables/table-rows.ts';

/** Places before the front that are kept apart; when there are more, the front goes back. */
const MOST_BEFORE = 1000;

/**
 * The places in a queue's order where messages may be waiting: all from the front on, and single ones before it where
 * messages have come back. So messages that are held, on lease or delayed are passed over once, and not again each
 * time that a message before them comes back.
 */
export class Frontier {
  readonly #compare: (a: OrderKey, b: OrderKey) => number;
  #from: OrderKey;
  /** Places before the front, in order. */
  #before: OrderKey[] = [];

  /** @param compare the order of two places, as for Array.sort */
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

  /** Nothing waits between the front and this place: the front goes there. */
  advance(to: OrderKey): void {
    this.#from = to;
  }

  /** Nothing waits at this place before the front any more. */
  forget(place: OrderKey): void {
    this.#before = this.#before.filter((each) => each !== place);
  }

  /** Something waits at this place. */
  notice(place: OrderKey): void {
    if (this.#compare(place, this.#from) >= 0) return;
    const at = this.#indexOf(place);
    const found = this.#before[at];
    if (found && this.#compare(found, place) === 0) return;
    this.#before.splice(at, 0, place);
    if (this.#before.length > MOST_BEFORE) this.noticeFrom(this.#before[0] as OrderKey);
  }

  /** Something waits at this place, and at places behind it. */
  noticeFrom(place: OrderKey): void {
    if (this.#compare(place, this.#from) >= 0) return;
    this.#from = place;
    this.#before = this.#before.filter((each) => this.#compare(each, place) < 0);
  }

  /** The index in `before` where the place stands, or would stand. */
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
