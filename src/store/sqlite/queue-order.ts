import { Order } from './order.ts';
import type { BatchRow, OrderKey, QueueRow } from './tables/table-rows.ts';
import type { Tables } from './tables/tables.ts';

export const FIRST: OrderKey = { priority: -Infinity, first: 0 };
const LAST: OrderKey = { priority: Infinity, first: Number.MAX_SAFE_INTEGER };

/** The order in which batches of a queue come, and where in it messages wait. */
export class QueueOrder {
  readonly #row: QueueRow;
  readonly #tables: Tables;
  readonly #isWaiting: (row: BatchRow) => boolean;
  /** The order in which messages are taken. */
  #taking: Order;
  /** The order of the ids, in which the oldest is looked for. */
  #age: Order;

  /** @param isWaiting whether any message waits in a batch that is ready */
  constructor(row: QueueRow, tables: Tables, isWaiting: (row: BatchRow) => boolean) {
    this.#row = row;
    this.#tables = tables;
    this.#isWaiting = isWaiting;
    this.#taking = this.#newTaking();
    this.#age = this.#newAge();
  }

  /** The step from the id of a message to that of the next one. */
  get step(): 1 | -1 {
    return this.#row.kind === 'lifo' ? -1 : 1;
  }

  /** Messages wait in the batch at this place. */
  notice({ first, priority }: OrderKey): void {
    this.#taking.notice({ first, priority });
    if (this.#age !== this.#taking) this.#age.notice({ first, priority });
  }

  /** Messages wait in batches with `count` ids from this place on. */
  noticeMany(place: OrderKey, count: number): void {
    this.#taking.noticeFrom(this.step === 1 ? place : { ...place, first: place.first + count });
    if (this.#age !== this.#taking) this.#age.noticeFrom(place);
  }

  /** Looks for waiting messages from the start. */
  rewind(): void {
    this.#taking = this.#newTaking();
    this.#age = this.#newAge();
  }

  /** The batches that messages wait in, in the order of taking. */
  waiting(): Iterable<BatchRow> {
    return this.#taking.waiting();
  }

  /** The batches that messages wait in, from this place on. */
  *waitingFrom(place: OrderKey): Generator<BatchRow> {
    let row = this.#readyFrom(place);
    for (; row !== undefined; row = this.#readyFrom({ ...row, first: row.first + this.step }))
      if (this.#isWaiting(row)) yield row;
  }

  /** The batches that messages wait in, in the order of the ids. */
  byAge(): Iterable<BatchRow> {
    return this.#age.waiting();
  }

  #newTaking(): Order {
    const step = this.step;
    return new Order({
      start: step === 1 ? FIRST : LAST,
      step,
      compare: (a, b) => step * (a.priority - b.priority || a.first - b.first),
      next: (place) => this.#readyFrom(place),
      at: (place) => this.#tables.batch.find(place.first),
      isWaiting: this.#isWaiting,
    });
  }

  #newAge(): Order {
    if (this.#row.kind === 'fifo') return this.#taking;
    return new Order({
      start: FIRST,
      step: 1,
      compare: (a, b) => a.first - b.first,
      next: (place) => this.#tables.ready.byAge(this.#row.id, place),
      at: (place) => this.#tables.batch.find(place.first),
      isWaiting: this.#isWaiting,
    });
  }

  /** The batch that is ready at this place of the order, or behind it. */
  #readyFrom(place: OrderKey): BatchRow | undefined {
    const { ready } = this.#tables;
    const { id } = this.#row;
    return this.step === 1 ? ready.from(id, place) : ready.backFrom(id, place);
  }
}
