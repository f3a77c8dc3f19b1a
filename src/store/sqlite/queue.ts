import { MqError } from '../../errors.ts';
import type { Packed } from '../../packed.ts';
import { leaseToken, newNonce, noLease, parseLease } from '../rules.ts';
import { type QueueState, type Range, type Run, rangeOf, type TakeLimit } from '../store.ts';
import { Batch, DELAYED, GONE, HELD, LEASED, type State, WAITING } from './batch.ts';
import type { Bodies } from './bodies.ts';
import { Front } from './front.ts';
import type { Undo } from './group-commit.ts';
import type { BatchRow, Label, MessageRow, Place, QueueRow, Tables } from './tables.ts';

const FIRST: Place = { priority: -Infinity, first: 0 };
const LAST: Place = { priority: Infinity, first: Number.MAX_SAFE_INTEGER };
const OLDEST: Place = { priority: 0, first: 0 };

/** An order of the batches that are ready, and where in it to look for what waits. */
interface Order {
  front: Front;
  step: 1 | -1;
  /** The batch at this place, or the next one behind it. */
  next: (place: Place) => BatchRow | undefined;
}

/** QueueRow.closed: what comes back is dropped. */
export const CLOSED_NOW = 2;

/** One queue of the store: its row, and what has become of its messages. */
export class StoredQueue {
  readonly row: QueueRow;
  readonly #tables: Tables;
  readonly #bodies: Bodies;
  readonly #undo: (undo: Undo) => void;
  /** The batches of which not all messages are waiting, by their first id: those that were looked at. */
  readonly #active = new Map<number, Batch>();
  readonly #front: Front;
  /** The same in the order of the ids, where the oldest message is looked for. */
  readonly #oldest = new Front(OLDEST, (a, b) => a.first - b.first);
  /** The batch put last, while it is in the file: most often all that waits is in it, and nothing is looked up. */
  #latest: Batch | undefined;
  #held = 0;

  /** @param undo told how to take back each change that is made here, but those by `release` */
  constructor(row: QueueRow, tables: Tables, bodies: Bodies, undo: (undo: Undo) => void) {
    this.row = row;
    this.#tables = tables;
    this.#bodies = bodies;
    this.#undo = undo;
    this.#front = new Front(
      this.#start,
      (a, b) => this.#step * (a.priority - b.priority || a.first - b.first),
    );
  }

  /** All that is known of it is in the file: it can be read again. */
  get isIdle(): boolean {
    return this.#active.size === 0 && this.#held === 0;
  }

  get closed(): boolean {
    return this.row.closed !== 0;
  }

  get waiting(): number {
    return this.row.size - this.#held - this.row.leased - this.row.delayed;
  }

  /** How many are waiting or delayed. */
  get pending(): number {
    return this.row.size - this.#held - this.row.leased;
  }

  /** How many more messages may be put. */
  get room(): number {
    return this.row.maxsize === 0 ? Infinity : Math.max(0, this.row.maxsize - this.pending);
  }

  state(): QueueState {
    return stateOf(this.row, this.#held, this.#oldestAt());
  }

  /** Those of the next messages in front of the first batch that is damaged. @throws MqError DAMAGED: there are none */
  wholeRuns(limit: TakeLimit, now: number): Run[] {
    const runs: Run[] = [];
    try {
      for (const run of this.#runs(limit, now)) runs.push(run);
    } catch (error) {
      if (runs.length === 0 || !isDamaged(error)) throw error;
    }
    return runs;
  }

  /** The next messages that wait, in order; not those that have expired. @throws MqError DAMAGED */
  runs(limit: TakeLimit, now: number): Run[] {
    return [...this.#runs(limit, now)];
  }

  /** The row of the batch that a message is in, and the message by itself. */
  message(id: number): { row: BatchRow; messages: Packed } {
    const batch = this.#batchOf(id);
    return { row: batch.row, messages: batch.only(id, this.#bodiesOf(batch)) };
  }

  /** Holds those of the messages that are waiting; answers which those were. */
  hold(ids: readonly Range[]): Range[] {
    return this.#each(ids, (batch, range) => this.#change(batch, range, WAITING, HELD));
  }

  /** Those of the messages that are held wait again; answers which those were. Not undone: nothing of it is stored. */
  release(ids: readonly Range[]): Range[] {
    return this.#each(ids, (batch, range) => this.#change(batch, range, HELD, WAITING, false));
  }

  /** Those of the messages that are in one of these states are gone; answers how many those were. */
  finish(ids: readonly Range[], ...states: State[]): number {
    return sizeOf(
      this.#each(ids, (batch, range) => states.flatMap((from) => this.#finish(batch, range, from))),
    );
  }

  /** Leases a run of messages that are waiting. */
  lease(run: Run, until: number): Run {
    const { id, step, failures, messages } = run;
    const { count } = messages;
    this.#each([rangeOf(run)], (batch, range) => this.#change(batch, range, WAITING, LEASED));
    const tokens = Array.from({ length: count }, (_, i) => {
      const lease = newNonce();
      this.#tables.setMessage({ id: id + i * step, queue: this.row.id, failures, lease, until });
      return leaseToken(id + i * step, lease);
    });
    this.row.got += count;
    return { ...run, leases: { tokens, until } };
  }

  /** @throws MqError NOLEASE */
  leased(token: string): MessageRow {
    const lease = parseLease(token);
    const message = lease && this.#tables.message(lease.id);
    if (message === undefined || message.queue !== this.row.id || message.lease !== lease?.nonce)
      throw noLease(this.row.name, token);
    return message;
  }

  extend(message: MessageRow, until: number): void {
    this.#tables.setMessage({ ...message, until });
  }

  /** A message that was on lease or delayed waits. */
  comeBack(message: MessageRow): void {
    const { id, failures, lease } = message;
    const batch = this.#batchOf(id);
    if (failures > 0) this.#tables.setMessage({ ...message, lease: null, until: null });
    else this.#tables.deleteMessages(oneRange(id));
    this.#change(batch, oneRange(id), lease === null ? DELAYED : LEASED, WAITING);
  }

  /** A message on lease has failed, and waits, or is delayed until `until`. */
  fail(message: MessageRow, until: number | null): void {
    const { id, failures } = message;
    const batch = this.#batchOf(id);
    this.#tables.setMessage({ ...message, failures: failures + 1, lease: null, until });
    batch.setFailures(id, failures + 1);
    this.#undo(() => batch.setFailures(id, failures));
    this.#change(batch, oneRange(id), LEASED, until === null ? WAITING : DELAYED);
  }

  /** The messages of a batch that was put with a delay wait. */
  due(row: BatchRow): void {
    const batch = this.#batch(row);
    const { due_at } = batch.row;
    this.#tables.clearDue(row.first);
    batch.row.due_at = null;
    this.#undo(() => {
      batch.row.due_at = due_at;
    });
    this.#change(batch, allOf(batch), DELAYED, WAITING);
  }

  /** Whether any of these messages are to be dropped if they wait. */
  areExpired(ids: readonly Range[], now: number): boolean {
    let are = false;
    this.#each(ids, ({ row }) => {
      are ||= isExpired(row, now);
      return [];
    });
    return are;
  }

  /** Drops those of the messages that are waiting or delayed and have expired. */
  expire(ids: readonly Range[], now: number): void {
    const expired = this.#each(ids, (batch, range) =>
      isExpired(batch.row, now)
        ? [...this.#finish(batch, range, WAITING), ...this.#finish(batch, range, DELAYED)]
        : [],
    );
    this.row.expired += sizeOf(expired);
  }

  /**
   * Drops what is waiting or delayed of the messages with lesser ids than `before`, until `isOver`.
   * @param from where to go on
   * @returns how many messages were dropped, and where to go on; undefined: that was all
   */
  dropPending(
    before: number,
    from: Place | undefined,
    isOver: () => boolean,
  ): { dropped: number; from: Place | undefined } {
    const pending = this.pending;
    let next = from;
    for (const row of this.#tables.batchesOf(this.row.id, before, from ?? FIRST)) {
      if (isOver()) return { dropped: pending - this.pending, from: next };
      const batch = this.#batch(row);
      for (const state of [WAITING, DELAYED] as const) this.#finish(batch, allOf(batch), state);
      next = { priority: row.priority, first: row.first + 1 };
    }
    return { dropped: pending - this.pending, from: undefined };
  }

  /** A batch was put: its messages wait, unless they are delayed. */
  append(row: BatchRow, messages: Packed, label?: Label): void {
    const { first, count, priority } = row;
    this.#tables.insertBatch(row, this.row.id, messages, label);
    this.#bodies.set(first, messages);
    this.#latest = new Batch(row, [], []);
    this.row.size += count;
    this.row.put += count;
    if (row.due_at === null) {
      this.#tables.insertReady(this.row.id, row);
      this.#notice({ priority, first });
    } else this.row.delayed += count;
    this.#undo(() => {
      this.#latest = undefined;
      this.#bodies.delete(first);
    });
  }

  /** Looks for waiting messages from the start of the order. */
  rewind(): void {
    this.#front.rewind(this.#start);
    this.#oldest.rewind(OLDEST);
  }

  #notice(place: Place): void {
    this.#front.notice(place);
    this.#oldest.notice(place);
  }

  get #step(): 1 | -1 {
    return this.row.kind === 'lifo' ? -1 : 1;
  }

  get #start(): Place {
    return this.row.kind === 'lifo' ? LAST : FIRST;
  }

  /** In which messages are taken. */
  get #order(): Order {
    const { id } = this.row;
    const next =
      this.#step === 1
        ? (place: Place) => this.#tables.readyFrom(id, place)
        : (place: Place) => this.#tables.readyBackFrom(id, place);
    return { front: this.#front, step: this.#step, next };
  }

  /** That of the ids. */
  get #age(): Order {
    return { front: this.#oldest, step: 1, next: (place) => this.#tables.readyByAge(this.row.id, place) };
  }

  *#runs(limit: TakeLimit, now: number): Generator<Run> {
    // No look-up for what comes behind the last that waits.
    let count = Math.min(limit.count, this.waiting);
    let { bytes } = limit;
    if (count <= 0 || bytes <= 0) return;
    for (const row of this.#waiting(this.#order)) {
      if (isExpired(row, now)) continue;
      const batch = this.#batch(row);
      for (const run of batch.nextRuns(this.#bodiesOf(batch), this.#step, { count, bytes })) {
        yield run;
        count -= run.messages.count;
        bytes -= run.messages.bytes.length;
      }
      if (count <= 0 || bytes <= 0) return;
    }
  }

  /** The batches that messages wait in. */
  *#waiting({ front, step, next }: Order): Generator<BatchRow> {
    if (this.#latest?.count(WAITING) === this.waiting) {
      yield this.#latest.row;
      return;
    }
    for (const place of front.before) {
      const row = this.#tables.batch(place.first);
      if (row && this.#isWaiting(row)) yield row;
      else front.forget(place);
    }
    let place = front.from;
    let skipping = true;
    for (let row = next(place); row !== undefined; row = next(place)) {
      if (this.#isWaiting(row)) {
        if (skipping) front.advance({ priority: row.priority, first: row.first });
        skipping = false;
        yield row;
      }
      place = { priority: row.priority, first: row.first + step };
    }
    if (skipping) front.advance(place);
  }

  /** Whether any of a batch's messages waits, which is ready. */
  #isWaiting({ first }: BatchRow): boolean {
    const known = this.#known(first);
    return known === undefined || known.count(WAITING) > 0;
  }

  #known(first: number): Batch | undefined {
    return first === this.#latest?.row.first ? this.#latest : this.#active.get(first);
  }

  #batch(row: BatchRow): Batch {
    // One of which a message is gone has others.
    const gone = () => (row.count === 1 ? [] : this.#tables.gone(row));
    return this.#known(row.first) ?? new Batch(row, gone(), this.#tables.messagesOf(row));
  }

  #batchOf(id: number): Batch {
    const row = this.#tables.batchAround(id);
    if (row === undefined) throw new Error(`message ${id} has gone`);
    return this.#batch(row);
  }

  #bodiesOf({ row }: Batch): Packed {
    return this.#bodies.get(row.first, () => {
      const messages = this.#tables.messages(row);
      if (messages !== undefined) return messages;
      const where = `${this.#tables.path}: other queues go on`;
      throw new MqError('DAMAGED', `messages of queue ${this.row.name} were altered in ${where}`);
    });
  }

  /** Calls `change` for each batch of this queue that has some of the ids; joins what it answers. */
  #each(ids: readonly Range[], change: (batch: Batch, range: Range) => Range[]): Range[] {
    const changed: Range[] = [];
    for (const range of ids) {
      let id = range.first;
      while (id <= range.last) {
        const active = this.#active.get(id);
        const row = active?.row ?? this.#tables.batchAround(id);
        if (row === undefined || row.first > range.last) break;
        id = row.first + row.count;
        if (active || ('queue' in row && row.queue === this.row.id)) {
          changed.push(...change(active ?? this.#batch(row), range));
        }
      }
    }
    return changed;
  }

  /** Changes the state of those of the messages that are in state `from`, in memory; answers which those were. */
  #change(batch: Batch, range: Range, from: State, to: State, isUndone = true): Range[] {
    const wasReady = batch.isReady;
    const changed = batch.change(range, from, to);
    if (changed.length === 0) return changed;
    const { first, priority, count } = batch.row;
    if (isUndone && wasReady !== batch.isReady) {
      if (wasReady) this.#tables.deleteReady(this.row.id, batch.row);
      else this.#tables.insertReady(this.row.id, batch.row);
    }
    this.#count(from, -sizeOf(changed));
    this.#count(to, sizeOf(changed));
    this.#active.set(first, batch);
    if (to === WAITING) {
      this.#notice({ priority, first });
      if (batch.count(WAITING) === count) this.#active.delete(first);
    }
    if (isUndone) {
      this.#undo(() => {
        for (const each of changed) this.#change(batch, each, to, from, false);
      });
    }
    return changed;
  }

  #count(state: State, by: number): void {
    if (state === HELD) this.#held += by;
    else if (state === LEASED) this.row.leased += by;
    else if (state === DELAYED) this.row.delayed += by;
    else if (state === GONE) this.row.size -= by;
  }

  #finish(batch: Batch, range: Range, from: State): Range[] {
    const finished = this.#change(batch, range, from, GONE);
    const { first, count } = batch.row;
    if (batch.isParticular || from === LEASED || from === DELAYED)
      for (const each of finished) this.#tables.deleteMessages(each);
    if (batch.count(GONE) === count) {
      this.#tables.deleteBatch(first);
      if (sizeOf(finished) < count) this.#tables.deleteGone({ first, last: batch.last });
      this.#active.delete(first);
      this.#bodies.delete(first);
      if (this.#latest === batch) this.#latest = undefined;
    } else {
      for (const each of finished) this.#tables.setGone(this.row.id, batch.goneAround(each.first));
    }
    return finished;
  }

  /** When the message with the least id of those that wait was put. */
  #oldestAt(): number | undefined {
    if (this.waiting === 0) return undefined;
    const [oldest] = this.#waiting(this.#age);
    return oldest?.put_at;
  }
}

/** @param held how many messages are held, which is not stored */
export function stateOf(row: QueueRow, held: number, oldestAt: number | undefined): QueueState {
  const { id: _, size, closed, ...rest } = row;
  return {
    ...rest,
    closed: closed === CLOSED_NOW ? 'now' : closed === 1,
    waiting: size - held - row.leased - row.delayed,
    held,
    oldestAt,
  };
}

export function isDamaged(error: unknown): boolean {
  return error instanceof MqError && error.code === 'DAMAGED';
}

function isExpired({ expires_at }: BatchRow, now: number): boolean {
  return expires_at !== null && expires_at <= now;
}

function oneRange(id: number): Range {
  return { first: id, last: id };
}

function allOf({ row, last }: Batch): Range {
  return { first: row.first, last };
}

function sizeOf(ranges: readonly Range[]): number {
  return ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
}
