import type { Once } from '../../../once.ts';
import type { Range } from '../../../range.ts';
import { Ranges } from '../../../ranges.ts';
import type { Sql } from './sql.ts';
import type { Answered } from './table-rows.ts';

/** The tables `client`, `client_ids` and `answered`: what clients said, and were told. */
export class ClientTable {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  stored(client: string): number {
    return this.#sql.get<{ stored: number }>('SELECT stored FROM client WHERE id = ?', client)?.stored ?? 0;
  }

  setStored(client: string, stored: number, at: number): void {
    this.#sql.run('INSERT OR REPLACE INTO client (id, stored, at) VALUES (?, ?, ?)', client, stored, at);
  }

  /** The ids of the client's messages at these positions, as far as they are kept. */
  ids(client: string, from: number, to = Number.MAX_SAFE_INTEGER): readonly Range[] {
    const rows = this.#sql.all<Range & { position: number }>(
      `SELECT position, first, last FROM client_ids
      WHERE client = ? AND position < ? AND position + last - first >= ? ORDER BY position`,
      ...[client, to, from],
    );
    const ids = new Ranges();
    for (const { position, first, last } of rows)
      ids.add({
        first: first + Math.max(0, from - position),
        last: Math.min(last, first + to - 1 - position),
      });
    return ids.all;
  }

  /** Keeps the ids of the client's messages from a position on, and lets those before `since` go. */
  setIds(client: string, position: number, { first, last }: Range, since: number, at: number): void {
    this.#sql.run(
      'INSERT OR REPLACE INTO client_ids (client, position, first, last, at) VALUES (?, ?, ?, ?, ?)',
      ...[client, position, first, last, at],
    );
    const before = 'client = ?1 AND position < ?2';
    this.#sql.run(
      `DELETE FROM client_ids WHERE ${before} AND position + last - first < ?2`,
      ...[client, since],
    );
    this.#sql.run(
      `UPDATE client_ids SET first = first + ?2 - position, position = ?2 WHERE ${before}`,
      ...[client, since],
    );
  }

  /** The progress of this step of the client, if it has begun. */
  answer({ client, seq }: Once): Answered | undefined {
    const row = this.#sql.get<{ answer: number; position: number | null; rest: string | null }>(
      'SELECT answer, position, rest FROM answered WHERE client = ? AND seq = ?',
      client,
      seq,
    );
    if (row === undefined) return undefined;
    const { answer, position, rest } = row;
    return { answer, position: position ?? undefined, ...(rest !== null && { rest: JSON.parse(rest) }) };
  }

  setAnswer({ client, seq, acked }: Once, { answer, position, rest }: Answered, at: number): void {
    this.#sql.run('DELETE FROM answered WHERE client = ? AND seq < ?', client, acked);
    this.#sql.run(
      'INSERT OR REPLACE INTO answered (client, seq, answer, position, rest, at) VALUES (?, ?, ?, ?, ?, ?)',
      client,
      seq,
      answer,
      position ?? null,
      rest ? JSON.stringify(rest) : null,
      at,
    );
  }

  deleteAnswer({ client, seq }: Once): void {
    this.#sql.run('DELETE FROM answered WHERE client = ? AND seq = ?', client, seq);
  }

  forget(client: string): void {
    this.#sql.run('DELETE FROM client WHERE id = ?', client);
    this.#sql.run('DELETE FROM client_ids WHERE client = ?', client);
    this.#sql.run('DELETE FROM answered WHERE client = ?', client);
  }

  forgetBefore(at: number): void {
    this.#sql.run('DELETE FROM client WHERE at < ?', at);
    this.#sql.run('DELETE FROM client_ids WHERE at < ?', at);
    this.#sql.run('DELETE FROM answered WHERE at < ?', at);
  }
}
