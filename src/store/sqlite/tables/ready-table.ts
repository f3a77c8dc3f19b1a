import { COLUMNS } from './batch-table.ts';
import type { Sql } from './sql.ts';
import type { BatchRow, OrderKey, Page } from './table-rows.ts';

/** The table `ready`: the batches of which messages wait or are held, in the orders of a queue. */
export class ReadyTable {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  insert(queue: number, { priority, first }: OrderKey): void {
    this.#sql.run('INSERT INTO ready (queue, priority, first) VALUES (?, ?, ?)', queue, priority, first);
  }

  delete(queue: number, { priority, first }: OrderKey): void {
    this.#sql.run('DELETE FROM ready WHERE queue = ? AND priority = ? AND first = ?', queue, priority, first);
  }

  /** The batch that is ready at `place`, or the next one behind it. */
  from(queue: number, { priority, first }: OrderKey): BatchRow | undefined {
    // Two look-ups: for (priority, first) >= (?, ?) SQLite uses the index for the priority only.
    return (
      this.#ready('priority = ? AND first >= ? ORDER BY first', queue, priority, first) ??
      this.#ready('priority > ? ORDER BY priority, first', queue, priority)
    );
  }

  /** The same batch in the order of a lifo queue. */
  backFrom(queue: number, { priority, first }: OrderKey): BatchRow | undefined {
    return (
      this.#ready('priority = ? AND first <= ? ORDER BY first DESC', queue, priority, first) ??
      this.#ready('priority < ? ORDER BY priority DESC, first DESC', queue, priority)
    );
  }

  /** The same batch in the order of the ids. */
  byAge(queue: number, { first }: OrderKey): BatchRow | undefined {
    const one = this.#ready('priority = 0 AND first >= ? ORDER BY first', queue, first);
    const other = this.#ready('priority <> 0 AND first >= ? ORDER BY first', queue, first);
    return one && other ? (one.first < other.first ? one : other) : (one ?? other);
  }

  /**
   * The first batches that are ready in a queue, of one priority and from `first` on, or with step -1 from
   * there backwards; those with lesser ids than `before`.
   */
  page(
    queue: number,
    step: 1 | -1,
    { priority, first }: OrderKey,
    before: number,
    most: number,
    now: number,
  ): Page | undefined {
    const [from, order] = step === 1 ? ['>=', ''] : ['<=', 'DESC'];
    const page = this.#sql.get<Omit<Page, 'priority'>>(
      `SELECT count(*) AS rows, sum(count) AS count, sum(length(messages)) AS bytes,
      min(first) AS first, max(first + count - 1) AS last, sum((expires_at IS NULL OR expires_at > ?) AND
        NOT EXISTS (SELECT 1 FROM message WHERE id >= first AND id < first + count) AND (count = 1 OR
        NOT EXISTS (SELECT 1 FROM gone WHERE gone.first >= batch.first AND gone.first < batch.first + count))) AS whole
      FROM (SELECT first FROM ready WHERE queue = ? AND priority = ? AND first ${from} ? AND first < ?
        ORDER BY first ${order} LIMIT ?) CROSS JOIN batch USING (first)`,
      ...[now, queue, priority, first, before, most],
    );
    return page?.rows ? { ...page, priority } : undefined;
  }

  /** The next priority with which something is ready in a queue, with a lesser id than `before`. */
  priorityAfter(queue: number, priority: number, before: number): number | undefined {
    return this.#sql.get<{ priority: number }>(
      `SELECT priority FROM ready WHERE queue = ? AND priority > ? AND first < ?
      ORDER BY priority, first LIMIT 1`,
      ...[queue, priority, before],
    )?.priority;
  }

  /**
   * The batches of a page are in the queue `to`, with ids from `first` on in their order. Moved elsewhere, they
   * have no origin, and no key but one of that queue.
   */
  relabel(from: number, step: 1 | -1, page: Page, to: number, { first, priority }: OrderKey): void {
    const those = 'FROM ready WHERE queue = ? AND priority = ? AND first BETWEEN ? AND ?';
    const range = [from, page.priority, page.first, page.last];
    const label =
      from === to
        ? ''
        : `, origin_queue = NULL, origin_id = NULL,
          key = iif(key_queue = ?1, key, NULL), key_queue = iif(key_queue = ?1, key_queue, NULL)`;
    const update = (id: string, which: string, by: number) =>
      this.#sql.run(
        `UPDATE batch SET queue = ?1, priority = ?, first = ${id}${label} ${which}`,
        ...[to, priority, by, ...range],
      );
    // Most often no id is lacking, and counting them, which takes as long as the rest, is spared.
    if (page.last - page.first + 1 > page.count) {
      update(
        'new',
        `FROM (SELECT first AS old, ? - count + sum(count) OVER
          (ORDER BY first ${step === 1 ? '' : 'DESC'} ROWS UNBOUNDED PRECEDING) AS new
          FROM (SELECT first ${those}) CROSS JOIN batch USING (first)) WHERE batch.first = old`,
        first,
      );
    } else {
      const which = `WHERE first IN (SELECT first ${those})`;
      if (step === 1) update('first + ?', which, first - page.first);
      else update('? - first', which, first + page.last);
    }
    this.#sql.run(`DELETE ${those}`, ...range);
    this.#sql.run(
      'INSERT INTO ready SELECT queue, priority, first FROM batch WHERE first BETWEEN ? AND ?',
      ...[first, first + page.count - 1],
    );
  }

  #ready(which: string, queue: number, ...values: number[]): BatchRow | undefined {
    return this.#sql.get(
      `SELECT ${COLUMNS} FROM batch WHERE first =
      (SELECT first FROM ready WHERE queue = ? AND ${which} LIMIT 1)`,
      queue,
      ...values,
    );
  }
}
