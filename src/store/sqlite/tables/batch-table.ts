import { isWhole, type Packed } from '../../../packed.ts';
import { checksumOf } from '../checksum.ts';
import { MOST_ROWS, type Sql } from './sql.ts';
import type { BatchRow, Expiry, Label } from './table-rows.ts';

/** Columns of a BatchRow. */
export const COLUMNS =
  'first, count, priority, put_at, due_at, expires_at, chunk, size, origin_queue, origin_id';

const NO_BYTES = Buffer.alloc(0);

/** The tables `batch` and `origin_queue`. */
export class BatchTable {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** @param messages undefined: they are in chunks */
  insert(row: BatchRow, queue: number, messages: Packed | undefined, label?: Label): void {
    const { first, count, priority, put_at, due_at, expires_at, chunk, size } = row;
    this.#sql.bytes += messages?.bytes.length ?? 0;
    const columns =
      'first, count, queue, priority, put_at, due_at, expires_at, chunk, size, messages, checksum';
    const values = [
      ...[first, count, queue, priority, put_at, due_at, expires_at, chunk, size],
      ...(messages ? [messages.bytes, checksumOf(messages)] : [NO_BYTES, null]),
    ];
    if (label === undefined) {
      this.#sql.run(`INSERT INTO batch (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, ...values);
      return;
    }
    if (label.key !== null) {
      const { key, key_queue } = label;
      const rest = 'queue IN (SELECT queue FROM removed)';
      this.#sql.run(`DELETE FROM batch WHERE key_queue = ? AND key = ? AND ${rest}`, key_queue, key);
    }
    this.#sql.run(
      `INSERT INTO batch (${columns}, key, key_queue, origin_queue, origin_id)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...values,
      label.key,
      label.key_queue,
      label.origin_queue,
      label.origin_id,
    );
  }

  find(first: number): BatchRow | undefined {
    return this.#sql.get(`SELECT ${COLUMNS} FROM batch WHERE first = ?`, first);
  }

  /** The batch that `id` is in, or the next one of any queue with greater ids. */
  around(id: number): (BatchRow & { queue: number }) | undefined {
    const found = this.#sql.get<BatchRow & { queue: number }>(
      `SELECT ${COLUMNS}, queue FROM batch WHERE first <= ? ORDER BY first DESC LIMIT 1`,
      id,
    );
    if (found && found.first + found.count > id) return found;
    return this.#sql.get(`SELECT ${COLUMNS}, queue FROM batch WHERE first > ? ORDER BY first LIMIT 1`, id);
  }

  /** The messages of the batch; undefined: they were altered. */
  messages({ first, count }: BatchRow): Packed | undefined {
    const sql = 'SELECT messages, checksum FROM batch WHERE first = ?';
    const row = this.#sql.get<{ messages: Uint8Array; checksum: number | null }>(sql, first);
    if (row === undefined) throw new Error(`batch ${first} has gone`);
    const { buffer, byteOffset, byteLength } = row.messages;
    const packed = { count, bytes: Buffer.from(buffer, byteOffset, byteLength) };
    const areThose = row.checksum === null ? isWhole(packed) : row.checksum === checksumOf(packed);
    return areThose ? packed : undefined;
  }

  label({ first, count }: BatchRow): Label | undefined {
    if (count > 1) return undefined;
    return this.#sql.get('SELECT key, key_queue, origin_queue, origin_id FROM batch WHERE first = ?', first);
  }

  /** The id of the message that has this key of this queue. */
  keyHolder(queue: number, key: string): number | undefined {
    const holder = `SELECT first FROM batch WHERE key_queue = ? AND key = ?
      AND queue NOT IN (SELECT queue FROM removed)`;
    return this.#sql.get<{ first: number }>(holder, queue, key)?.first;
  }

  /** The first dead letters in a queue with ids between these two. */
  deadLetters(queue: number, after: number, before: number): number[] {
    const sql = `SELECT first FROM batch WHERE queue = ? AND origin_queue IS NOT NULL AND first > ? AND first < ?
      ORDER BY first LIMIT ${MOST_ROWS}`;
    return this.#sql.all<{ first: number }>(sql, queue, after, before).map(({ first }) => first);
  }

  /** The messages of the batch may wait. */
  clearDue(first: number): void {
    this.#sql.run('UPDATE batch SET due_at = NULL WHERE first = ?', first);
  }

  due(until: number, most: number): (BatchRow & { queue: number })[] {
    return this.#sql.all(
      `SELECT ${COLUMNS}, queue FROM batch WHERE due_at <= ? ORDER BY due_at LIMIT ?`,
      until,
      most,
    );
  }

  /** Batches that expire until a time, behind this one. */
  expired(after: Expiry, until: number, most: number): (BatchRow & { queue: number })[] {
    return this.#sql.all(
      `SELECT ${COLUMNS}, queue FROM batch
      WHERE expires_at >= ? AND (expires_at, first) > (?, ?) AND expires_at <= ?
      ORDER BY expires_at, first LIMIT ?`,
      ...[after.time, after.time, after.first, until, most],
    );
  }

  delete(first: number): void {
    this.#sql.run('DELETE FROM batch WHERE first = ?', first);
  }

  /** The id of the row of the table `origin_queue` with this name. */
  originQueue(name: string): number {
    const known = this.#sql.get<{ id: number }>('SELECT id FROM origin_queue WHERE name = ?', name);
    if (known) return known.id;
    this.#sql.run('INSERT INTO origin_queue (name) VALUES (?)', name);
    return this.originQueue(name);
  }

  /** The name of the queue with this id in the table `origin_queue`. */
  originName(id: number): string {
    const row = this.#sql.get<{ name: string }>('SELECT name FROM origin_queue WHERE id = ?', id);
    if (row === undefined) throw new Error(`origin ${id} has gone`);
    return row.name;
  }

  /** Deletes the names of queues of which there is no dead letter. */
  forgetOrigins(): void {
    this.#sql.run(
      'DELETE FROM origin_queue WHERE NOT EXISTS (SELECT 1 FROM batch WHERE origin_queue = origin_queue.id)',
    );
  }
}
