import type { Range } from '../../../range.ts';
import { MOST_ROWS, type Sql } from './sql.ts';
import type { BatchRow, MessageRow } from './table-rows.ts';

/** The table `message`: particulars of single messages. */
export class MessageTable {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  find(id: number): MessageRow | undefined {
    return this.#sql.get('SELECT * FROM message WHERE id = ?', id);
  }

  /** The particulars of messages of the batch. */
  ofBatch({ first, count }: BatchRow): MessageRow[] {
    return this.#sql.all('SELECT * FROM message WHERE id >= ? AND id < ?', first, first + count);
  }

  due(until: number, most: number): MessageRow[] {
    return this.#sql.all('SELECT * FROM message WHERE until <= ? ORDER BY until, id LIMIT ?', until, most);
  }

  /** The first messages of a queue with ids between these two that are delayed because they failed. */
  failed(queue: number, after: number, before: number): number[] {
    const sql = `SELECT id FROM message WHERE queue = ? AND until IS NOT NULL AND lease IS NULL AND id > ? AND id < ?
      ORDER BY id LIMIT ${MOST_ROWS}`;
    return this.#sql.all<{ id: number }>(sql, queue, after, before).map(({ id }) => id);
  }

  set({ id, queue, failures, lease, until }: MessageRow): void {
    this.#sql.run(
      'INSERT OR REPLACE INTO message (id, queue, failures, lease, until) VALUES (?, ?, ?, ?, ?)',
      id,
      queue,
      failures,
      lease,
      until,
    );
  }

  setUntil(id: number, until: number): void {
    this.#sql.run('UPDATE message SET until = ? WHERE id = ?', until, id);
  }

  delete({ first, last }: Range): void {
    this.#sql.run('DELETE FROM message WHERE id BETWEEN ? AND ?', first, last);
  }
}
