import { MOST_ROWS, type Sql } from './sql.ts';
import type { Stored } from './table-rows.ts';

/** The tables `chunk` and `unused`. */
export class ChunkTable {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** The id of a chunk that was never used. @param length in bytes, of a chunk */
  next(length: number): number {
    const sql = `SELECT max((SELECT coalesce(max(id), 0) FROM chunk),
      (SELECT coalesce(max(chunk + size / ${length} + 1), 0) FROM unused)) + 1 AS next`;
    return this.#sql.get<{ next: number }>(sql)?.next ?? 1;
  }

  insert(id: number, bytes: Buffer, checksum: number): void {
    this.#sql.bytes += bytes.length;
    this.#sql.run('INSERT INTO chunk (id, bytes, checksum) VALUES (?, ?, ?)', id, bytes, checksum);
  }

  find(id: number): { bytes: Buffer; checksum: number } | undefined {
    const row = this.#sql.get<{ bytes: Uint8Array; checksum: number }>(
      'SELECT bytes, checksum FROM chunk WHERE id = ?',
      id,
    );
    if (row === undefined) return undefined;
    const { buffer, byteOffset, byteLength } = row.bytes;
    return { bytes: Buffer.from(buffer, byteOffset, byteLength), checksum: row.checksum };
  }

  /** A chunk that is there. */
  findIn(first: number, last: number): number | undefined {
    const sql = 'SELECT id FROM chunk WHERE id BETWEEN ? AND ? LIMIT 1';
    return this.#sql.get<{ id: number }>(sql, first, last)?.id;
  }

  delete(id: number): void {
    this.#sql.run('DELETE FROM chunk WHERE id = ?', id);
  }

  unused(): Stored[] {
    return this.#sql.all(`SELECT chunk, size FROM unused LIMIT ${MOST_ROWS}`);
  }

  insertUnused({ chunk, size }: Stored): void {
    this.#sql.run('INSERT INTO unused (chunk, size) VALUES (?, ?)', chunk, size);
  }

  deleteUnused(chunk: number): void {
    this.#sql.run('DELETE FROM unused WHERE chunk = ?', chunk);
  }
}
