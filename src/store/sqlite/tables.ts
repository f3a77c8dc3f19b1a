import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Packed } from '../../packed.ts';
import type { Kind } from '../../settings.ts';
import type { Range } from '../store.ts';
import type { BatchRow } from './batch.ts';

/** A row of the table `queue`. */
export interface QueueRow {
  id: number;
  name: string;
  kind: Kind;
  maxsize: number;
  closed: 0 | 1 | 2;
  size: number;
  put: number;
  got: number;
}

/** A place in a queue's order. */
export interface Place {
  priority: number;
  first: number;
}

/** The statements on the tables of schema.ts, as functions. */
export class Tables {
  readonly #db: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  nextId(): number {
    return this.#get<{ next_id: number }>('SELECT next_id FROM store')?.next_id ?? 1;
  }

  setNextId(id: number): void {
    this.#run('UPDATE store SET next_id = ?', id);
  }

  queue(name: string): QueueRow | undefined {
    return this.#get<QueueRow>('SELECT * FROM queue WHERE name = ?', name);
  }

  countQueues(): number {
    return this.#get<{ count: number }>('SELECT count(*) AS count FROM queue')?.count ?? 0;
  }

  queueNames(): string[] {
    return this.#all<{ name: string }>('SELECT name FROM queue ORDER BY name').map(({ name }) => name);
  }

  /** What was held when the daemon died has come back to queues that drop what comes back. */
  emptyClosedNow(): void {
    const those = '(SELECT id FROM queue WHERE closed = 2 AND size > 0)';
    this.#run(`DELETE FROM batch WHERE queue IN ${those}`);
    this.#run(`DELETE FROM gone WHERE queue IN ${those}`);
    this.#run('UPDATE queue SET size = 0 WHERE closed = 2 AND size > 0');
  }

  insertQueue(name: string, kind: Kind, maxsize: number): void {
    this.#run(
      'INSERT INTO queue (name, kind, maxsize, closed, size, put, got) VALUES (?, ?, ?, 0, 0, 0, 0)',
      name,
      kind,
      maxsize,
    );
  }

  updateQueue({ id, kind, maxsize, closed, size, put, got }: QueueRow): void {
    this.#run(
      'UPDATE queue SET kind = ?, maxsize = ?, closed = ?, size = ?, put = ?, got = ? WHERE id = ?',
      kind,
      maxsize,
      closed,
      size,
      put,
      got,
      id,
    );
  }

  deleteQueue(id: number): void {
    this.#run('DELETE FROM batch WHERE queue = ?', id);
    this.#run('DELETE FROM gone WHERE queue = ?', id);
    this.#run('DELETE FROM queue WHERE id = ?', id);
  }

  insertBatch({ first, count, priority, put_at }: BatchRow, queue: number, messages: Packed): void {
    this.#run(
      'INSERT INTO batch (first, count, queue, priority, put_at, messages) VALUES (?, ?, ?, ?, ?, ?)',
      first,
      count,
      queue,
      priority,
      put_at,
      messages.bytes,
    );
  }

  /** The batch at `place`, or the next one behind it. */
  batchFrom(queue: number, { priority, first }: Place): BatchRow | undefined {
    // Two look-ups: for (priority, first) >= (?, ?) SQLite uses the index for the priority only.
    return (
      this.#batch('priority = ? AND first >= ? ORDER BY first', queue, priority, first) ??
      this.#batch('priority > ? ORDER BY priority, first', queue, priority)
    );
  }

  /** The same in the order of a lifo queue. */
  batchBackFrom(queue: number, { priority, first }: Place): BatchRow | undefined {
    return (
      this.#batch('priority = ? AND first <= ? ORDER BY first DESC', queue, priority, first) ??
      this.#batch('priority < ? ORDER BY priority DESC, first DESC', queue, priority)
    );
  }

  /** The batch that `id` is in, or the next one of any queue with greater ids. */
  batchAround(id: number): (BatchRow & { queue: number }) | undefined {
    const columns = 'first, count, priority, put_at, queue';
    const found = this.#get<BatchRow & { queue: number }>(
      `SELECT ${columns} FROM batch WHERE first <= ? ORDER BY first DESC LIMIT 1`,
      id,
    );
    if (found && found.first + found.count > id) return found;
    return this.#get(`SELECT ${columns} FROM batch WHERE first > ? ORDER BY first LIMIT 1`, id);
  }

  messages(first: number): Buffer {
    const row = this.#get<{ messages: Uint8Array }>('SELECT messages FROM batch WHERE first = ?', first);
    if (row === undefined) throw new Error(`batch ${first} has gone`);
    return Buffer.from(row.messages.buffer, row.messages.byteOffset, row.messages.byteLength);
  }

  deleteBatch(first: number): void {
    this.#run('DELETE FROM batch WHERE first = ?', first);
  }

  /** Deletes a queue's batches with their first id in this range, and what is said of them. */
  deleteBatches(queue: number, { first, last }: Range): void {
    this.#run('DELETE FROM batch WHERE queue = ? AND first BETWEEN ? AND ?', queue, first, last);
    this.#run('DELETE FROM gone WHERE queue = ? AND first BETWEEN ? AND ?', queue, first, last);
  }

  gone({ first, count }: BatchRow): Range[] {
    return this.#all<Range>(
      'SELECT first, last FROM gone WHERE first >= ? AND first < ?',
      first,
      first + count,
    );
  }

  /** `range` takes the place of the ranges within it. */
  setGone(queue: number, { first, last }: Range): void {
    this.deleteGone({ first, last });
    this.#run('INSERT INTO gone (first, last, queue) VALUES (?, ?, ?)', first, last, queue);
  }

  deleteGone({ first, last }: Range): void {
    this.#run('DELETE FROM gone WHERE first BETWEEN ? AND ?', first, last);
  }

  /** The priorities that a queue's batches have, rising; one index look-up each. */
  *priorities(queue: number): Generator<number> {
    let after = -Infinity;
    for (;;) {
      const row = this.#get<{ priority: number }>(
        'SELECT priority FROM batch WHERE queue = ? AND priority > ? ORDER BY priority LIMIT 1',
        queue,
        after,
      );
      if (row === undefined) return;
      yield row.priority;
      after = row.priority;
    }
  }

  stored(client: string): number {
    return this.#get<{ stored: number }>('SELECT stored FROM client WHERE id = ?', client)?.stored ?? 0;
  }

  setStored(client: string, stored: number, at: number): void {
    this.#run('INSERT OR REPLACE INTO client (id, stored, at) VALUES (?, ?, ?)', client, stored, at);
  }

  forget(client: string): void {
    this.#run('DELETE FROM client WHERE id = ?', client);
  }

  forgetBefore(at: number): void {
    this.#run('DELETE FROM client WHERE at < ?', at);
  }

  #batch(which: string, queue: number, ...values: number[]): BatchRow | undefined {
    return this.#get(
      `SELECT first, count, priority, put_at FROM batch WHERE queue = ? AND ${which} LIMIT 1`,
      queue,
      ...values,
    );
  }

  #get<T>(sql: string, ...values: (string | number)[]): T | undefined {
    return this.#statement(sql).get(...values) as T | undefined;
  }

  #all<T>(sql: string, ...values: (string | number)[]): T[] {
    return this.#statement(sql).all(...values) as T[];
  }

  #run(sql: string, ...values: (string | number | Uint8Array)[]): void {
    this.#statement(sql).run(...values);
  }

  #statement(sql: string): StatementSync {
    const statement = this.#prepared.get(sql) ?? this.#db.prepare(sql);
    this.#prepared.set(sql, statement);
    return statement;
  }
}
