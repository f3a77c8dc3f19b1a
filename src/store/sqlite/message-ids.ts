import type { StoreTable } from './tables/store-table.ts';

/** Ids set aside at a time, so that most puts do not write the next one. */
const SET_ASIDE = 10_000;

/** The ids of messages: each is given once, also if its step is undone. */
export class MessageIds {
  readonly #table: StoreTable;
  #next: number;
  /** The first id that was never used, as the file has it. */
  #reserved: number;

  constructor(table: StoreTable) {
    this.#table = table;
    this.#next = this.#reserved = table.nextId();
  }

  get next(): number {
    return this.#next;
  }

  /** @returns the first of `count` new ids */
  take(count: number): number {
    this.#next += count;
    return this.#next - count;
  }

  beforeCommit(): void {
    if (this.#next > this.#reserved) this.#table.setNextId(this.#next + SET_ASIDE);
  }

  afterCommit(): void {
    if (this.#next > this.#reserved) this.#reserved = this.#next + SET_ASIDE;
  }

  /** To be called in the last step of a store. */
  end(): void {
    this.#table.setNextId(this.#next);
  }
}
