import type { Settings } from '../../../settings.ts';
import { prefixOfDead } from '../../rules.ts';
import type { Sql } from './sql.ts';
import type { QueueRow } from './table-rows.ts';

/** The tables `queue` and `removed`. */
export class QueueTable {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  find(name: string): QueueRow | undefined {
    return this.#sql.get<QueueRow>('SELECT * FROM queue WHERE name = ?', name);
  }

  /** The name of a queue; undefined: it has gone. */
  name(id: number): string | undefined {
    return this.#sql.get<{ name: string }>('SELECT name FROM queue WHERE id = ?', id)?.name;
  }

  count(): number {
    return this.#sql.get<{ count: number }>('SELECT count(*) AS count FROM queue')?.count ?? 0;
  }

  names(after: string, count: number): string[] {
    const names = 'SELECT name FROM queue WHERE name > ? ORDER BY name LIMIT ?';
    return this.#sql.all<{ name: string }>(names, after, count).map(({ name }) => name);
  }

  /** The first `count` queues behind the name `after`, with the time of the put of the oldest message that is ready in each. */
  after(after: string, count: number): (QueueRow & { oldest_at: number | null })[] {
    const oldest = (which: string) =>
      `coalesce((SELECT first FROM ready WHERE queue = queue.id AND ${which} ORDER BY first LIMIT 1), 9e18)`;
    return this.#sql.all(
      `SELECT *, (SELECT put_at FROM batch
        WHERE first = min(${oldest('priority = 0')}, ${oldest('priority <> 0')})) AS oldest_at
      FROM queue WHERE name > ? ORDER BY name LIMIT ?`,
      after,
      Math.min(count, Number.MAX_SAFE_INTEGER),
    );
  }

  /** Queues that drop messages that come back, and have messages that are not on lease. */
  toEmpty(): string[] {
    const those = 'closed = 2 AND size > leased';
    return this.#sql.all<{ name: string }>(`SELECT name FROM queue WHERE ${those}`).map(({ name }) => name);
  }

  insert(name: string, settings: Settings): void {
    const { kind, maxsize, max_attempts, retry_delay, dead_letter, max_leased } = settings;
    // Keys of a removed queue of this name are not those of this one.
    this.#sql.run(
      `INSERT INTO queue (id, name, kind, maxsize, max_attempts, retry_delay, dead_letter, max_leased,
        closed, size, put, got)
      VALUES (1 + max((SELECT coalesce(max(id), 0) FROM queue),
        (SELECT coalesce(max(queue), 0) FROM removed),
        (SELECT coalesce(max(key_queue), 0) FROM batch WHERE key IS NOT NULL)), ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0)`,
      name,
      kind,
      maxsize,
      max_attempts,
      retry_delay,
      dead_letter,
      max_leased,
    );
  }

  update(row: QueueRow): void {
    this.#sql.run(
      `UPDATE queue SET closed = ?, paused = ?, size = ?, delayed = ?, leased = ?,
      put = ?, got = ?, done = ?, failed = ?, dead = ?, expired = ? WHERE id = ?`,
      row.closed,
      row.paused,
      row.size,
      row.delayed,
      row.leased,
      row.put,
      row.got,
      row.done,
      row.failed,
      row.dead,
      row.expired,
      row.id,
    );
  }

  updateSettings(row: QueueRow): void {
    this.#sql.run(
      `UPDATE queue SET kind = ?, maxsize = ?, max_attempts = ?, retry_delay = ?, dead_letter = ?, max_leased = ?
      WHERE id = ?`,
      row.kind,
      row.maxsize,
      row.max_attempts,
      row.retry_delay,
      row.dead_letter,
      row.max_leased,
      row.id,
    );
  }

  /** Queues that give up to `former`, be it by default, give up to `name`. */
  setDeadLetters(former: string, name: string): void {
    this.#sql.run(
      `UPDATE queue SET dead_letter = ? WHERE dead_letter = ? AND dead_letter <> ''`,
      name,
      former,
    );
    const named = prefixOfDead(former);
    if (named === undefined) return;
    const { prefix, within } = named;
    this.#sql.run(
      `UPDATE queue SET dead_letter = ?
      WHERE dead_letter = '' AND name >= ? AND name < ? || char(127) AND substr(name, 1, ?) = ?`,
      ...[name, prefix, prefix, within, prefix],
    );
  }

  delete(id: number): void {
    this.#sql.run('DELETE FROM queue WHERE id = ?', id);
  }

  /** Records that a queue has gone whose messages are still to be deleted. */
  insertRemoved(id: number): void {
    this.#sql.run('INSERT INTO removed (queue) VALUES (?)', id);
  }

  removed(): number | undefined {
    return this.#sql.get<{ queue: number }>('SELECT queue FROM removed LIMIT 1')?.queue;
  }

  deleteRemoved(id: number): void {
    this.#sql.run('DELETE FROM ready WHERE queue = ?', id);
    this.#sql.run('DELETE FROM removed WHERE queue = ?', id);
  }
}
