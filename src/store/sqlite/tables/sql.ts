import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** Rows read at a time where there may be more. */
export const MOST_ROWS = 500;

/** Statements on the store file, each prepared once. */
export class Sql {
  readonly #db: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();
  /** The number of rows that were inserted, updated or deleted. */
  changes = 0;
  /** Bytes of messages that were put. */
  bytes = 0;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** Of the file. */
  get path(): string {
    return this.#db.location() ?? '';
  }

  get<T>(sql: string, ...values: (string | number)[]): T | undefined {
    return this.#statement(sql).get(...values) as T | undefined;
  }

  all<T>(sql: string, ...values: (string | number)[]): T[] {
    return this.#statement(sql).all(...values) as T[];
  }

  run(sql: string, ...values: (string | number | Uint8Array | null)[]): void {
    this.changes += this.#statement(sql).run(...values).changes as number;
  }

  #statement(sql: string): StatementSync {
    const statement = this.#prepared.get(sql) ?? this.#db.prepare(sql);
    this.#prepared.set(sql, statement);
    return statement;
  }
}
