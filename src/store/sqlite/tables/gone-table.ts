import type { Range } from '../../../range.ts';
import type { Sql } from './sql.ts';
import type { BatchRow } from './table-rows.ts';

/** The table `gone`: the ids of messages that are gone, of batches of which others are not. */
export class GoneTable {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  ofBatch({ first, count }: BatchRow): Range[] {
    return this.#sql.all<Range>(
      'SELECT first, last FROM gone WHERE first >= ? AND first < ?',
      first,
      first + count,
    );
  }

  /** Replaces the ranges within `range` by it. */
  set(queue: number, { first, last }: Range): void {
    this.delete({ first, last });
    this.#sql.run('INSERT INTO gone (first, last, queue) VALUES (?, ?, ?)', first, last, queue);
  }

  delete({ first, last }: Range): void {
    this.#sql.run('DELETE FROM gone WHERE first BETWEEN ? AND ?', first, last);
  }
}
