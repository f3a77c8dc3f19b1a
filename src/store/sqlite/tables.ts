import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Once } from '../../once.ts';
import { isWhole, type Packed } from '../../packed.ts';
import type { Range } from '../../range.ts';
import type { Settings } from '../../settings.ts';
import { checksumOf } from './checksum.ts';
import type { IsOver } from './turn.ts';

/** A row of the table `queue`. */
export interface QueueRow extends Settings {
  id: number;
  name: string;
  closed: 0 | 1 | 2;
  size: number;
  delayed: number;
  leased: number;
  put: number;
  got: number;
  done: number;
  failed: number;
  dead: number;
  expired: number;
}

/** A row of the table `batch`, without the messages. */
export interface BatchRow {
  first: number;
  count: number;
  priority: number;
  put_at: number;
  due_at: number | null;
  expires_at: number | null;
  /** The first chunk of a large message, and its size; null for other batches: see Chunks. */
  chunk: number | null;
  size: number | null;
}

/** Batches of one priority that follow each other and are ready, as a move looks at them. */
export interface Page {
  priority: number;
  rows: number;
  /** The number of these that have not expired, with no message gone and nothing particular to any. */
  whole: number;
  /** The number of messages. */
  count: number;
  bytes: number;
  /** The least id of a message, and the greatest. */
  first: number;
  last: number;
}

/** Columns of the table `batch` that only a batch of one message may have. */
export interface Label {
  key: string | null;
  key_queue: number | null;
  origin_queue: number | null;
  origin_id: number | null;
}

/** A row of the table `message`. */
export interface MessageRow {
  id: number;
  queue: number;
  failures: number;
  lease: number | null;
  until: number | null;
}

/** The answer so far to a step that takes effect once, and the position to go on from; undefined: it has happened. */
export interface Answered {
  answer: number;
  position: number | undefined;
}

/** A place in the order in which batches expire. */
export interface Expiry {
  time: number;
  first: number;
}

/** A large message in chunks: the id of its first chunk, and its bytes as it is packed. */
export interface Stored {
  chunk: number;
  size: number;
}

/** A place in a queue's order. */
export interface OrderKey {
  priority: number;
  first: number;
}

const COLUMNS = 'first, count, priority, put_at, due_at, expires_at, chunk, size';

const NO_BYTES = Buffer.alloc(0);

/** Rows read at a time where there may be more. */
const PAGE = 500;

/** The statements on the tables of schema.ts, as functions. */
export class Tables {
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

  nextId(): number {
    return this.#get<{ next_id: number }>('SELECT next_id FROM store')?.next_id ?? 1;
  }

  setNextId(id: number): void {
    this.#run('UPDATE store SET next_id = ?', id);
  }

  clock(): number {
    return this.#get<{ clock: number }>('SELECT clock FROM store')?.clock ?? 0;
  }

  setClock(time: number): void {
    this.#run('UPDATE store SET clock = ?', time);
  }

  queue(name: string): QueueRow | undefined {
    return this.#get<QueueRow>('SELECT * FROM queue WHERE name = ?', name);
  }

  /** The name of a queue; undefined: it has gone. */
  queueName(id: number): string | undefined {
    return this.#get<{ name: string }>('SELECT name FROM queue WHERE id = ?', id)?.name;
  }

  countQueues(): number {
    return this.#get<{ count: number }>('SELECT count(*) AS count FROM queue')?.count ?? 0;
  }

  queueNames(after: string, count: number): string[] {
    const names = 'SELECT name FROM queue WHERE name > ? ORDER BY name LIMIT ?';
    return this.#all<{ name: string }>(names, after, count).map(({ name }) => name);
  }

  /** The first `count` queues behind the name `after`, with the time of the put of the oldest message that is ready in each. */
  queuesAfter(after: string, count: number): (QueueRow & { oldest_at: number | null })[] {
    const oldest = (which: string) =>
      `coalesce((SELECT first FROM ready WHERE queue = queue.id AND ${which} ORDER BY first LIMIT 1), 9e18)`;
    return this.#all(
      `SELECT *, (SELECT put_at FROM batch
        WHERE first = min(${oldest('priority = 0')}, ${oldest('priority <> 0')})) AS oldest_at
      FROM queue WHERE name > ? ORDER BY name LIMIT ?`,
      after,
      Math.min(count, Number.MAX_SAFE_INTEGER),
    );
  }

  /** Queues that drop messages that come back, and have messages that are not on lease. */
  queuesToEmpty(): string[] {
    const those = 'closed = 2 AND size > leased';
    return this.#all<{ name: string }>(`SELECT name FROM queue WHERE ${those}`).map(({ name }) => name);
  }

  insertQueue(name: string, settings: Settings): void {
    const { kind, maxsize, max_attempts, retry_delay, dead_letter } = settings;
    // Keys of a removed queue of this name are not those of this one.
    this.#run(
      `INSERT INTO queue (id, name, kind, maxsize, max_attempts, retry_delay, dead_letter, closed, size, put, got)
      VALUES (1 + max((SELECT coalesce(max(id), 0) FROM queue),
        (SELECT coalesce(max(queue), 0) FROM removed),
        (SELECT coalesce(max(key_queue), 0) FROM batch WHERE key IS NOT NULL)), ?, ?, ?, ?, ?, ?, 0, 0, 0, 0)`,
      name,
      kind,
      maxsize,
      max_attempts,
      retry_delay,
      dead_letter,
    );
  }

  updateQueue(row: QueueRow): void {
    this.#run(
      `UPDATE queue SET closed = ?, size = ?, delayed = ?, leased = ?,
      put = ?, got = ?, done = ?, failed = ?, dead = ?, expired = ? WHERE id = ?`,
      row.closed,
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
    this.#run(
      'UPDATE queue SET kind = ?, maxsize = ?, max_attempts = ?, retry_delay = ?, dead_letter = ? WHERE id = ?',
      row.kind,
      row.maxsize,
      row.max_attempts,
      row.retry_delay,
      row.dead_letter,
      row.id,
    );
  }

  deleteQueue(id: number): void {
    this.#run('DELETE FROM queue WHERE id = ?', id);
  }

  /** Records that a queue has gone whose messages are still to be deleted. */
  insertRemoved(id: number): void {
    this.#run('INSERT INTO removed (queue) VALUES (?)', id);
  }

  removed(): number | undefined {
    return this.#get<{ queue: number }>('SELECT queue FROM removed LIMIT 1')?.queue;
  }

  deleteRemoved(id: number): void {
    this.#run('DELETE FROM ready WHERE queue = ?', id);
    this.#run('DELETE FROM removed WHERE queue = ?', id);
  }

  /** @param messages undefined: they are in chunks */
  insertBatch(row: BatchRow, queue: number, messages: Packed | undefined, label?: Label): void {
    const { first, count, priority, put_at, due_at, expires_at, chunk, size } = row;
    this.bytes += messages?.bytes.length ?? 0;
    const columns =
      'first, count, queue, priority, put_at, due_at, expires_at, chunk, size, messages, checksum';
    const values = [
      ...[first, count, queue, priority, put_at, due_at, expires_at, chunk, size],
      ...(messages ? [messages.bytes, checksumOf(messages)] : [NO_BYTES, null]),
    ];
    if (label === undefined) {
      this.#run(`INSERT INTO batch (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, ...values);
      return;
    }
    if (label.key !== null) {
      const { key, key_queue } = label;
      const rest = 'queue IN (SELECT queue FROM removed)';
      this.#run(`DELETE FROM batch WHERE key_queue = ? AND key = ? AND ${rest}`, key_queue, key);
    }
    this.#run(
      `INSERT INTO batch (${columns}, key, key_queue, origin_queue, origin_id)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...values,
      label.key,
      label.key_queue,
      label.origin_queue,
      label.origin_id,
    );
  }

  label({ first, count }: BatchRow): Label | undefined {
    if (count > 1) return undefined;
    return this.#get('SELECT key, key_queue, origin_queue, origin_id FROM batch WHERE first = ?', first);
  }

  /** The id of the message that has this key of this queue. */
  keyHolder(queue: number, key: string): number | undefined {
    const holder = `SELECT first FROM batch WHERE key_queue = ? AND key = ?
      AND queue NOT IN (SELECT queue FROM removed)`;
    return this.#get<{ first: number }>(holder, queue, key)?.first;
  }

  /** The id of the row of the table `origin_queue` with this name. */
  originQueue(name: string): number {
    const known = this.#get<{ id: number }>('SELECT id FROM origin_queue WHERE name = ?', name);
    if (known) return known.id;
    this.#run('INSERT INTO origin_queue (name) VALUES (?)', name);
    return this.originQueue(name);
  }

  /** Deletes the names of queues of which there is no dead letter. */
  forgetOrigins(): void {
    this.#run(
      'DELETE FROM origin_queue WHERE NOT EXISTS (SELECT 1 FROM batch WHERE origin_queue = origin_queue.id)',
    );
  }

  /** The messages of the batch may wait. */
  clearDue(first: number): void {
    this.#run('UPDATE batch SET due_at = NULL WHERE first = ?', first);
  }

  dueBatches(until: number, most: number): (BatchRow & { queue: number })[] {
    return this.#all(
      `SELECT ${COLUMNS}, queue FROM batch WHERE due_at <= ? ORDER BY due_at LIMIT ?`,
      until,
      most,
    );
  }

  /** Batches that expire until a time, behind this one. */
  expiredBatches(after: Expiry, until: number, most: number): (BatchRow & { queue: number })[] {
    return this.#all(
      `SELECT ${COLUMNS}, queue FROM batch
      WHERE expires_at >= ? AND (expires_at, first) > (?, ?) AND expires_at <= ?
      ORDER BY expires_at, first LIMIT ?`,
      ...[after.time, after.time, after.first, until, most],
    );
  }

  /** The next time at which a batch or a message is due, or a batch expires behind `swept`. */
  nextTime(swept: Expiry): number {
    const times = this.#get<Record<string, number | null>>(
      `SELECT (SELECT min(due_at) FROM batch WHERE due_at IS NOT NULL) AS due,
      (SELECT min(until) FROM message WHERE until IS NOT NULL) AS until,
      (SELECT expires_at FROM batch WHERE expires_at >= ? AND (expires_at, first) > (?, ?)
        ORDER BY expires_at, first LIMIT 1) AS expiry`,
      ...[swept.time, swept.time, swept.first],
    );
    return Math.min(...Object.values(times ?? {}).map((time) => time ?? Infinity));
  }

  message(id: number): MessageRow | undefined {
    return this.#get('SELECT * FROM message WHERE id = ?', id);
  }

  /** The particulars of messages of the batch. */
  messagesOf({ first, count }: BatchRow): MessageRow[] {
    return this.#all('SELECT * FROM message WHERE id >= ? AND id < ?', first, first + count);
  }

  dueMessages(until: number, most: number): MessageRow[] {
    return this.#all('SELECT * FROM message WHERE until <= ? ORDER BY until, id LIMIT ?', until, most);
  }

  setMessage({ id, queue, failures, lease, until }: MessageRow): void {
    this.#run(
      'INSERT OR REPLACE INTO message (id, queue, failures, lease, until) VALUES (?, ?, ?, ?, ?)',
      id,
      queue,
      failures,
      lease,
      until,
    );
  }

  setUntil(id: number, until: number): void {
    this.#run('UPDATE message SET until = ? WHERE id = ?', until, id);
  }

  deleteMessages({ first, last }: Range): void {
    this.#run('DELETE FROM message WHERE id BETWEEN ? AND ?', first, last);
  }

  batch(first: number): BatchRow | undefined {
    return this.#get(`SELECT ${COLUMNS} FROM batch WHERE first = ?`, first);
  }

  insertReady(queue: number, { priority, first }: OrderKey): void {
    this.#run('INSERT INTO ready (queue, priority, first) VALUES (?, ?, ?)', queue, priority, first);
  }

  deleteReady(queue: number, { priority, first }: OrderKey): void {
    this.#run('DELETE FROM ready WHERE queue = ? AND priority = ? AND first = ?', queue, priority, first);
  }

  /** The batch that is ready at `place`, or the next one behind it. */
  readyFrom(queue: number, { priority, first }: OrderKey): BatchRow | undefined {
    // Two look-ups: for (priority, first) >= (?, ?) SQLite uses the index for the priority only.
    return (
      this.#ready('priority = ? AND first >= ? ORDER BY first', queue, priority, first) ??
      this.#ready('priority > ? ORDER BY priority, first', queue, priority)
    );
  }

  /** The same batch in the order of a lifo queue. */
  readyBackFrom(queue: number, { priority, first }: OrderKey): BatchRow | undefined {
    return (
      this.#ready('priority = ? AND first <= ? ORDER BY first DESC', queue, priority, first) ??
      this.#ready('priority < ? ORDER BY priority DESC, first DESC', queue, priority)
    );
  }

  /** The same batch in the order of the ids. */
  readyByAge(queue: number, { first }: OrderKey): BatchRow | undefined {
    const one = this.#ready('priority = 0 AND first >= ? ORDER BY first', queue, first);
    const other = this.#ready('priority <> 0 AND first >= ? ORDER BY first', queue, first);
    return one && other ? (one.first < other.first ? one : other) : (one ?? other);
  }

  /**
   * The first batches that are ready in a queue, of one priority and from `first` on, or with step -1 from
   * there backwards; those with lesser ids than `before`.
   */
  readyPage(
    queue: number,
    step: 1 | -1,
    { priority, first }: OrderKey,
    before: number,
    most: number,
    now: number,
  ): Page | undefined {
    const [from, order] = step === 1 ? ['>=', ''] : ['<=', 'DESC'];
    const page = this.#get<Omit<Page, 'priority'>>(
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
    return this.#get<{ priority: number }>(
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
      this.#run(
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
    this.#run(`DELETE ${those}`, ...range);
    this.#run(
      'INSERT INTO ready SELECT queue, priority, first FROM batch WHERE first BETWEEN ? AND ?',
      ...[first, first + page.count - 1],
    );
  }

  /** The batch that `id` is in, or the next one of any queue with greater ids. */
  batchAround(id: number): (BatchRow & { queue: number }) | undefined {
    const found = this.#get<BatchRow & { queue: number }>(
      `SELECT ${COLUMNS}, queue FROM batch WHERE first <= ? ORDER BY first DESC LIMIT 1`,
      id,
    );
    if (found && found.first + found.count > id) return found;
    return this.#get(`SELECT ${COLUMNS}, queue FROM batch WHERE first > ? ORDER BY first LIMIT 1`, id);
  }

  /** The messages of the batch; undefined: they were altered. */
  messages({ first, count }: BatchRow): Packed | undefined {
    const sql = 'SELECT messages, checksum FROM batch WHERE first = ?';
    const row = this.#get<{ messages: Uint8Array; checksum: number | null }>(sql, first);
    if (row === undefined) throw new Error(`batch ${first} has gone`);
    const { buffer, byteOffset, byteLength } = row.messages;
    const packed = { count, bytes: Buffer.from(buffer, byteOffset, byteLength) };
    const areThose = row.checksum === null ? isWhole(packed) : row.checksum === checksumOf(packed);
    return areThose ? packed : undefined;
  }

  /** The id of a chunk that was never used. @param length in bytes, of a chunk */
  nextChunk(length: number): number {
    const sql = `SELECT max((SELECT coalesce(max(id), 0) FROM chunk),
      (SELECT coalesce(max(chunk + size / ${length} + 1), 0) FROM unused)) + 1 AS next`;
    return this.#get<{ next: number }>(sql)?.next ?? 1;
  }

  insertChunk(id: number, bytes: Buffer, checksum: number): void {
    this.bytes += bytes.length;
    this.#run('INSERT INTO chunk (id, bytes, checksum) VALUES (?, ?, ?)', id, bytes, checksum);
  }

  chunk(id: number): { bytes: Buffer; checksum: number } | undefined {
    const row = this.#get<{ bytes: Uint8Array; checksum: number }>(
      'SELECT bytes, checksum FROM chunk WHERE id = ?',
      id,
    );
    if (row === undefined) return undefined;
    const { buffer, byteOffset, byteLength } = row.bytes;
    return { bytes: Buffer.from(buffer, byteOffset, byteLength), checksum: row.checksum };
  }

  /** A chunk that is there. */
  chunkIn(first: number, last: number): number | undefined {
    const sql = 'SELECT id FROM chunk WHERE id BETWEEN ? AND ? LIMIT 1';
    return this.#get<{ id: number }>(sql, first, last)?.id;
  }

  deleteChunk(id: number): void {
    this.#run('DELETE FROM chunk WHERE id = ?', id);
  }

  unused(): Stored[] {
    return this.#all(`SELECT chunk, size FROM unused LIMIT ${PAGE}`);
  }

  insertUnused({ chunk, size }: Stored): void {
    this.#run('INSERT INTO unused (chunk, size) VALUES (?, ?)', chunk, size);
  }

  deleteUnused(chunk: number): void {
    this.#run('DELETE FROM unused WHERE chunk = ?', chunk);
  }

  deleteBatch(first: number): void {
    this.#run('DELETE FROM batch WHERE first = ?', first);
  }

  /**
   * A queue's batches of which messages wait, are held or delayed, with lesser ids than `before`; with `all`
   * those of which any is on lease, too. They may be deleted meanwhile.
   */
  *batchesOf(queue: number, before: number, from: OrderKey, all = false): Generator<BatchRow> {
    for (let { priority, first } = from; ; first += 1) {
      const page = this.#all<BatchRow>(
        `SELECT ${COLUMNS} FROM batch WHERE first IN
        (SELECT first FROM ready WHERE queue = ? AND priority >= ? AND (priority, first) >= (?, ?) AND first < ?
        ORDER BY priority, first LIMIT ${PAGE}) ORDER BY priority, first`,
        ...[queue, priority, priority, first, before],
      );
      yield* page;
      if (page.length < PAGE) break;
      ({ priority, first } = page.at(-1) as BatchRow);
    }
    for (let after = 0; ; ) {
      const page = this.#all<BatchRow>(
        `SELECT ${COLUMNS} FROM batch WHERE queue = ? AND due_at IS NOT NULL AND first > ? AND first < ?
        ORDER BY first LIMIT ${PAGE}`,
        ...[queue, after, before],
      );
      yield* page;
      if (page.length < PAGE) break;
      after = page.at(-1)?.first as number;
    }
    for (let after = 0; ; ) {
      const page = this.#all<{ id: number }>(
        `SELECT id FROM message WHERE queue = ? AND id > ? AND id < ? AND until IS NOT NULL
        ${all ? '' : 'AND lease IS NULL'} ORDER BY id LIMIT ${PAGE}`,
        ...[queue, after, before],
      );
      for (const { id } of page) {
        const row = this.batchAround(id);
        if (row && row.first <= id) yield row;
      }
      if (page.length < PAGE) break;
      after = page.at(-1)?.id as number;
    }
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
      this.deleteBatch(row.first);
      this.deleteReady(queue, row);
      this.deleteGone(ids);
      this.deleteMessages(ids);
    }
    return true;
  }

  gone({ first, count }: BatchRow): Range[] {
    return this.#all<Range>(
      'SELECT first, last FROM gone WHERE first >= ? AND first < ?',
      first,
      first + count,
    );
  }

  /** Replaces the ranges within `range` by it. */
  setGone(queue: number, { first, last }: Range): void {
    this.deleteGone({ first, last });
    this.#run('INSERT INTO gone (first, last, queue) VALUES (?, ?, ?)', first, last, queue);
  }

  deleteGone({ first, last }: Range): void {
    this.#run('DELETE FROM gone WHERE first BETWEEN ? AND ?', first, last);
  }

  stored(client: string): number {
    return this.#get<{ stored: number }>('SELECT stored FROM client WHERE id = ?', client)?.stored ?? 0;
  }

  setStored(client: string, stored: number, at: number): void {
    this.#run('INSERT OR REPLACE INTO client (id, stored, at) VALUES (?, ?, ?)', client, stored, at);
  }

  /** The progress of this step of the client, if it has begun. */
  answer({ client, seq }: Once): Answered | undefined {
    const row = this.#get<{ answer: number; position: number | null }>(
      'SELECT answer, position FROM answered WHERE client = ? AND seq = ?',
      client,
      seq,
    );
    return row && { answer: row.answer, position: row.position ?? undefined };
  }

  setAnswer({ client, seq, acked }: Once, { answer, position }: Answered, at: number): void {
    this.#run('DELETE FROM answered WHERE client = ? AND seq < ?', client, acked);
    this.#run(
      'INSERT OR REPLACE INTO answered (client, seq, answer, position, at) VALUES (?, ?, ?, ?, ?)',
      client,
      seq,
      answer,
      position ?? null,
      at,
    );
  }

  deleteAnswer({ client, seq }: Once): void {
    this.#run('DELETE FROM answered WHERE client = ? AND seq = ?', client, seq);
  }

  forget(client: string): void {
    this.#run('DELETE FROM client WHERE id = ?', client);
    this.#run('DELETE FROM answered WHERE client = ?', client);
  }

  forgetBefore(at: number): void {
    this.#run('DELETE FROM client WHERE at < ?', at);
    this.#run('DELETE FROM answered WHERE at < ?', at);
  }

  #ready(which: string, queue: number, ...values: number[]): BatchRow | undefined {
    return this.#get(
      `SELECT ${COLUMNS} FROM batch WHERE first =
      (SELECT first FROM ready WHERE queue = ? AND ${which} LIMIT 1)`,
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

  #run(sql: string, ...values: (string | number | Uint8Array | null)[]): void {
    this.changes += this.#statement(sql).run(...values).changes as number;
  }

  #statement(sql: string): StatementSync {
    const statement = this.#prepared.get(sql) ?? this.#db.prepare(sql);
    this.#prepared.set(sql, statement);
    return statement;
  }
}
