import type { Once } from '../../../once.ts';
import type { Sql } from './sql.ts';
import type { Answered } from './table-rows.ts';

/** The tables `client` and `answered`: what clients said, and were told. */
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

  /** The progress of this step of the client, if it has begun. */
  answer({ client, seq }: Once): Answered | undefined {
    const row = this.#sql.get<{ answer: number; position: number | null }>(
      'SELECT answer, position FROM answered WHERE client = ? AND seq = ?',
      client,
      seq,
    );
    return row && { answer: row.answer, position: row.position ?? undefined };
  }

  setAnswer({ client, seq, acked }: Once, { answer, position }: Answered, at: number): void {
    this.#sql.run('DELETE FROM answered WHERE client = ? AND seq < ?', client, acked);
    this.#sql.run(
      'INSERT OR REPLACE INTO answered (client, seq, answer, position, at) VALUES (?, ?, ?, ?, ?)',
      client,
      seq,
      answer,
      position ?? null,
      at,
    );
  }

  deleteAnswer({ client, seq }: Once): void {
    this.#sql.run('DELETE FROM answered WHERE client = ? AND seq = ?', client, seq);
  }

  forget(client: string): void {
    this.#sql.run('DELETE FROM client WHERE id = ?', client);
    this.#sql.run('DELETE FROM answered WHERE client = ?', client);
  }

  forgetBefore(at: number): void {
    this.#sql.run('DELETE FROM client WHERE at < ?', at);
    this.#sql.run('DELETE FROM answered WHERE at < ?', at);
  }
}
