import type { Sql } from './sql.ts';

/** The table `store`. */
export class StoreTable {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  nextId(): number {
    return this.#sql.get<{ next_id: number }>('SELECT next_id FROM store')?.next_id ?? 1;
  }

  setNextId(id: number): void {
    this.#sql.run('UPDATE store SET next_id = ?', id);
  }

  clock(): number {
    return this.#sql.get<{ clock: number }>('SELECT clock FROM store')?.clock ?? 0;
  }

  setClock(time: number): void {
    this.#sql.run('UPDATE store SET clock = ?', time);
  }
}
