import type { DatabaseSync } from 'node:sqlite';
import type { LookState } from '../../look.ts';
import type { IsOver } from '../turn.ts';
import { BatchTable, COLUMNS } from './batch-table.ts';
import { ChunkTable } from './chunk-table.ts';
import { ClientTable } from './client-table.ts';
import { GoneTable } from './gone-table.ts';
import { MessageTable } from './message-table.ts';
import { QueueTable } from './queue-table.ts';
import { ReadyTable } from './ready-table.ts';
import { MOST_ROWS, Sql } from './sql.ts';
import { StoreTable } from './store-table.ts';
import type { BatchRow, Expiry, OrderKey, QueueRow } from './table-rows.ts';

/** The tables of schema.ts, with the statements on each as functions; here those on several. */
export class Tables {
  readonly sql: Sql;
  readonly store: StoreTable;
  readonly queue: QueueTable;
  readonly batch: BatchTable;
  readonly ready: ReadyTable;
  readonly message: MessageTable;
  readonly gone: GoneTable;
  readonly chunk: ChunkTable;
  readonly client: ClientTable;

  constructor(db: DatabaseSync) {
    const sql = new Sql(db);
    this.sql = sql;
    this.store = new StoreTable(sql);
    this.queue = new QueueTable(sql);
    this.batch = new BatchTable(sql);
    this.ready = new ReadyTable(sql);
    this.message = new MessageTable(sql);
    this.gone = new GoneTable(sql);
    this.chunk = new ChunkTable(sql);
    this.client = new ClientTable(sql);
  }

  /** The next time at which a batch or a message is due, or a batch expires behind `swept`. */
  nextTime(swept: Expiry): number {
    const times = this.sql.get<Record<string, number | null>>(
      `SELECT (SELECT min(due_at) FROM batch WHERE due_at IS NOT NULL) AS due,
      (SELECT min(until) FROM message WHERE until IS NOT NULL) AS until,
      (SELECT expires_at FROM batch WHERE expires_at >= ? AND (expires_at, first) > (?, ?)
        ORDER BY expires_at, first LIMIT 1) AS expiry`,
      ...[swept.time, swept.time, swept.first],
    );
    return Math.min(...Object.values(times ?? {}).map((time) => time ?? Infinity));
  }

  /**
   * The first id of the next batch from this id on in which a message may be in this state (undefined: in any), or the
   * id of such a message. Infinity: there is none. Among messages on lease it looks at some of the table `message` only.
   */
  firstOf(queue: number, id: number, state: LookState | undefined): number {
    if (state === 'leased') {
      const some = this.sql.all<{ id: number; lease: number | null }>(
        `SELECT id, lease FROM message WHERE queue = ? AND id >= ? ORDER BY id LIMIT ${MOST_ROWS}`,
        ...[queue, id],
      );
      return (some.find(({ lease }) => lease !== null) ?? some[MOST_ROWS - 1])?.id ?? Infinity;
    }
    const ready = (which: string) =>
      `(SELECT first FROM ready WHERE queue = ?1 AND ${which} AND first >= ?2 ORDER BY first LIMIT 1)`;
    const delayed =
      '(SELECT first FROM batch WHERE queue = ?1 AND due_at IS NOT NULL AND first >= ?2 ORDER BY first LIMIT 1)';
    const particular = (which: string) =>
      `(SELECT id FROM message WHERE queue = ?1 ${which} AND id >= ?2 ORDER BY id LIMIT 1)`;
    const waiting = [ready('priority = 0'), ready('priority <> 0')];
    const places =
      state === 'waiting'
        ? waiting
        : state === 'delayed'
          ? [delayed, particular('AND until IS NOT NULL AND lease IS NULL')]
          : [...waiting, delayed, particular('')];
    const found = places.map((place) => `coalesce(${place}, 9e18)`);
    const first = this.sql.get<{ first: number }>(
      `SELECT min(${found.join(', ')}) AS first`,
      queue,
      id,
    )?.first;
    return first === undefined || first >= 9e18 ? Infinity : first;
  }

  /**
   * A queue's batches of which messages wait, are held or delayed, with lesser ids than `before`; with `all`
   * those of which any is on lease, too. They may be deleted meanwhile.
   */
  *batchesOf(queue: number, before: number, from: OrderKey, all = false): Generator<BatchRow> {
    for (let { priority, first } = from; ; first += 1) {
      const page = this.sql.all<BatchRow>(
        `SELECT ${COLUMNS} FROM batch WHERE first IN
        (SELECT first FROM ready WHERE queue = ? AND priority >= ? AND (priority, first) >= (?, ?) AND first < ?
        ORDER BY priority, first LIMIT ${MOST_ROWS}) ORDER BY priority, first`,
        ...[queue, priority, priority, first, before],
      );
      yield* page;
      if (page.length < MOST_ROWS) break;
      ({ priority, first } = page.at(-1) as BatchRow);
    }
    for (let after = 0; ; ) {
      const page = this.sql.all<BatchRow>(
        `SELECT ${COLUMNS} FROM batch WHERE queue = ? AND due_at IS NOT NULL AND first > ? AND first < ?
        ORDER BY first LIMIT ${MOST_ROWS}`,
        ...[queue, after, before],
      );
      yield* page;
      if (page.length < MOST_ROWS) break;
      after = page.at(-1)?.first as number;
    }
    for (let after = 0; ; ) {
      const page = this.sql.all<{ id: number }>(
        `SELECT id FROM message WHERE queue = ? AND id > ? AND id < ? AND until IS NOT NULL
        ${all ? '' : 'AND lease IS NULL'} ORDER BY id LIMIT ${MOST_ROWS}`,
        ...[queue, after, before],
      );
      for (const { id } of page) {
        const row = this.batch.around(id);
        if (row && row.first <= id) yield row;
      }
      if (page.length < MOST_ROWS) break;
      after = page.at(-1)?.id as number;
    }
  }

  /** Writes the new name of a queue, and its dead-letter queue; settings and origins with the former name follow. */
  rename({ id, name, dead_letter }: QueueRow, former: string): void {
    this.queue.setDeadLetters(former, name);
    this.sql.run('UPDATE queue SET name = ?, dead_letter = ? WHERE id = ?', name, dead_letter, id);
    // Several origins can have one name: nothing that a queue has given up is in the way of another's name.
    this.sql.run('UPDATE origin_queue SET name = ? WHERE name = ?', name, former);
  }

  /** Deletes the messages of a queue that has gone, until `isOver`. @returns whether that was all */
  deleteBatches(queue: number, isOver: IsOver): boolean {
    for (const row of this.batchesOf(
      queue,
      Number.MAX_SAFE_INTEGER,
      { priority: -Infinity, first: 0 },
      true,
    )) {
      if (isOver()) return false;
      const ids = { first: row.first, last: row.first + row.count - 1 };
      this.batch.delete(row.first);
      this.ready.delete(queue, row);
      this.gone.delete(ids);
      this.message.delete(ids);
    }
    return true;
  }
}
