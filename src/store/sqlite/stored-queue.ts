import { MqError } from '../../errors.ts';
import { type Packed, sizeOf } from '../../packed.ts';
import type { Range } from '../../range.ts';
import type { QueueState } from '../queue-state.ts';
import { leaseToken, newNonce, noLease, parseLease } from '../rules.ts';
import { type Run, rangeOf } from '../run.ts';
import type { TakeLimit } from '../store.ts';
import { Batch, DELAYED, GONE, HELD, LEASED, type State, WAITING } from './batch.ts';
import type { BodyCache } from './body-cache.ts';
import type { Chunks } from './chunks.ts';
import type { Undo } from './group-commit.ts';
import { Order } from './order.ts';
import type { BatchRow, Label, MessageRow, OrderKey, Page, QueueRow, Stored } from './tables/table-rows.ts';
import type { Tables } from './tables/tables.ts';
import { type IsOver, never } from './turn.ts';

const FIRST: OrderKey = { priority: -Infinity, first: 0 };
const LAST: OrderKey = { priority: Infinity, first: Number.MAX_SAFE_INTEGER };

/** The most messages that are leased at a time: each is a row. */
const MOST_LEASED = 1000;

/** QueueRow.closed: messages that come back are dropped. */
export const CLOSED_NOW = 2;

/** The parts of a store that its queues use. */
export interface QueueContext {
  tables: Tables;
  bodies: BodyCache;
  chunks: Chunks;
  /** Called with an undo for each change in memory. */
  undo: (undo: Undo) => void;
}

/** A queue of the store: its row, and the states of its messages. */
export class StoredQueue {
  readonly row: QueueRow;
  readonly #tables: Tables;
  readonly #bodies: BodyCache;
  readonly #chunks: Chunks;
  readonly #undo: (undo: Undo) => void;
  /** Batches that were looked at and of which not all messages are waiting, by their first ids. */
  readonly #active = new Map<number, Batch>();
  /** The order in which messages are taken. */
  #order: Order;
  /** The order of the ids, in which the oldest is looked for. */
  #age: Order;
  /** The batch that was put last, while it is in the file: most often all waiting messages are in it, and nothing is looked up. */
  #latest: Batch | undefined;
  #held = 0;

  /** @param context its `undo` is called for all changes but those by `release` */
  constructor(row: QueueRow, { tables, bodies, chunks, undo }: QueueContext) {
    this.row = row;
    this.#tables = tables;
    this.#bodies = bodies;
    this.#chunks = chunks;
    this.#undo = undo;
    this.#order = this.#newOrder();
    this.#age = this.#newAge();
  }

  /** Whether all that is known of it is in the file, and can be read again. */
  get isIdle(): boolean {
    return this.#active.size === 0 && this.#held === 0;
  }

  get closed(): boolean {
    return this.row.closed !== 0;
  }

  get waiting(): number {
    return this.row.size - this.#held - this.row.leased - this.row.delayed;
  }

  /** The number of messages that are waiting or delayed. */
  get pending(): number {
    return this.row.size - this.#held - this.row.leased;
  }

  /** The number of messages that may still be put. */
  get room(): number {
    return this.row.maxsize === 0 ? Infinity : Math.max(0, this.row.maxsize - this.pending);
  }

  /** The step from the id of a message to that of the next one. */
  get step(): 1 | -1 {
    return this.row.kind === 'lifo' ? -1 : 1;
  }

  state(): QueueState {
    return queueStateOf(this.row, this.#held, this.#oldestAt());
  }

  /**
   * The next messages that wait, in order and without expired ones, until `isOver`.
   * @param from the place to go on from
   * @returns them, and the place to go on from; undefined: that was all
   */
  peek(
    limit: TakeLimit,
    now: number,
    isOver: IsOver = never,
    from?: OrderKey,
  ): { runs: Run[]; next: OrderKey | undefined } {
    const all: Run[] = [];
    for (const { batch, runs } of this.#next(limit, now, from)) {
      const { priority, first } = batch.row;
      all.push(...runs);
      if (isOver()) return { runs: all, next: { priority, first: first + this.step } };
    }
    return { runs: all, next: undefined };
  }

  /**
   * Holds the next messages, up to a batch that is damaged.
   * @returns them; `isPart`: `isOver` ended it, and there may be more
   * @throws MqError DAMAGED when there are none before it
   */
  hold(limit: TakeLimit, now: number, isOver: IsOver): { runs: Run[]; isPart: boolean } {
    const all: Run[] = [];
    for (const { batch, runs } of whole(this.#next(limit, now))) {
      for (const run of runs) this.#change(batch, rangeOf(run), WAITING, HELD);
      all.push(...runs);
      if (isOver()) return { runs: all, isPart: true };
    }
    return { runs: all, isPart: false };
  }

  /** Leases the next messages, as `hold` holds them, until a time. */
  lease(limit: TakeLimit, now: number, until: number, isOver: IsOver): { runs: Run[]; isPart: boolean } {
    const count = Math.min(limit.count, MOST_LEASED);
    const all: Run[] = [];
    let left = count;
    for (const { batch, runs } of whole(this.#next({ ...limit, count }, now))) {
      for (const run of runs) {
        this.#change(batch, rangeOf(run), WAITING, LEASED);
        all.push(this.#leaseRun(run, until));
        left -= run.messages.count;
      }
      if (isOver()) return { runs: all, isPart: true };
    }
    return { runs: all, isPart: left === 0 && count < limit.count };
  }

  /** The row of the batch that a message is in, and the message by itself; undefined: it is in chunks. */
  message(id: number): { row: BatchRow; messages: Packed | undefined } {
    const batch = this.#batchOf(id);
    const messages = batch.row.chunk === null ? batch.only(id, this.#bodiesOf(batch)) : undefined;
    return { row: batch.row, messages };
  }

  /** Holds those of the messages that are waiting. @returns their ids */
  holdThese(ids: readonly Range[]): Range[] {
    return this.#each(ids, (batch, range) => this.#change(batch, range, WAITING, HELD)).changed;
  }

  /**
   * Lets those of the messages wait again that are held, until `isOver`. Never undone, because holds are not stored.
   * @returns their ids, and the ids that were not looked at
   */
  release(ids: readonly Range[], isOver: IsOver): { changed: Range[]; rest: Range[] } {
    return this.#each(ids, (batch, range) => this.#change(batch, range, HELD, WAITING, false), isOver);
  }

  /**
   * Deletes those of the messages that are in one of these states, until `isOver`.
   * @returns their number, and the ids that were not looked at
   */
  finish(
    ids: readonly Range[],
    states: readonly State[],
    isOver: IsOver = never,
  ): { count: number; rest: Range[] } {
    const finish = (batch: Batch, range: Range) => states.flatMap((from) => this.#finish(batch, range, from));
    const { changed, rest } = this.#each(ids, finish, isOver);
    return { count: numberOf(changed), rest };
  }

  /** @throws MqError NOLEASE */
  leased(token: string): MessageRow {
    const message = this.findLease(token);
    if (message === undefined) throw noLease(this.row.name, token);
    return message;
  }

  findLease(token: string): MessageRow | undefined {
    const lease = parseLease(token);
    const message = lease && this.#tables.message.find(lease.id);
    return message?.queue === this.row.id && message.lease === lease?.nonce ? message : undefined;
  }

  extend({ id }: MessageRow, until: number): void {
    this.#tables.message.setUntil(id, until);
  }

  /** Lets messages wait that were on lease or delayed. */
  comeBack(messages: readonly MessageRow[], from: typeof LEASED | typeof DELAYED): void {
    // Before the rows change: batches are made from them.
    this.#each(rangesOf(messages), (batch, range) => this.#change(batch, range, from, WAITING));
    for (const message of messages)
      if (message.failures > 0) this.#tables.message.set({ ...message, lease: null, until: null });
    const others = messages.filter(({ failures }) => failures === 0);
    for (const range of rangesOf(others)) this.#tables.message.delete(range);
  }

  /** Fails a message on lease: it waits, or is delayed until `until`. */
  fail(message: MessageRow, until: number | null): void {
    const { id, failures } = message;
    const batch = this.#batchOf(id);
    this.#tables.message.set({ ...message, failures: failures + 1, lease: null, until });
    batch.setFailures(id, failures + 1);
    this.#undo(() => batch.setFailures(id, failures));
    this.#change(batch, oneRange(id), LEASED, until === null ? WAITING : DELAYED);
  }

  /** Lets the messages of a batch wait that was put with a delay. */
  due(row: BatchRow): void {
    const batch = this.#batch(row);
    const { due_at } = batch.row;
    this.#tables.batch.clearDue(row.first);
    batch.row.due_at = null;
    this.#undo(() => {
      batch.row.due_at = due_at;
    });
    this.#change(batch, allOf(batch), DELAYED, WAITING);
  }

  /** Whether any of these messages must be dropped if they wait. */
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
    const { changed } = this.#each(ids, (batch, range) =>
      isExpired(batch.row, now)
        ? [...this.#finish(batch, range, WAITING), ...this.#finish(batch, range, DELAYED)]
        : [],
    );
    this.row.expired += numberOf(changed);
  }

  /**
   * Drops waiting and delayed messages with lesser ids than `before`, until `isOver`.
   * @param from the place to go on from
   * @returns the number of messages that were dropped, and the place to go on from; undefined: that was all
   */
  dropPending(
    before: number,
    from: OrderKey | undefined,
    isOver: IsOver,
  ): { dropped: number; from: OrderKey | undefined } {
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

  /** Adds a batch that was put: its messages wait, unless they are delayed. */
  append(row: BatchRow, messages: Packed | undefined, label?: Label): void {
    const { first, count, priority } = row;
    this.#tables.batch.insert(row, this.row.id, messages, label);
    if (messages) this.#bodies.set(first, messages);
    this.#latest = new Batch(row, [], []);
    this.row.size += count;
    this.row.put += count;
    if (row.due_at === null) {
      this.#tables.ready.insert(this.row.id, row);
      this.#notice({ priority, first });
    } else this.row.delayed += count;
    this.#undo(() => {
      this.#latest = undefined;
      this.#bodies.delete(first);
    });
  }

  /** Whether any message waits in a batch that is ready. */
  isWaiting({ first }: BatchRow): boolean {
    const known = this.#known(first);
    return known === undefined || known.count(WAITING) > 0;
  }

  /** Whether no message in this range of ids is held, as far as its batch is ready. */
  areWaiting({ first, last }: Range): boolean {
    if (this.#active.size <= last - first) {
      for (const id of this.#active.keys()) if (id >= first && id <= last) return false;
    } else for (let id = first; id <= last; id++) if (this.#active.has(id)) return false;
    return true;
  }

  /** The next `most` messages of a batch that wait. @throws MqError DAMAGED */
  runsIn(row: BatchRow, most: number): Run[] {
    const batch = this.#batch(row);
    return this.#nextRuns(batch, { count: most, bytes: Infinity });
  }

  /** Forgets the batches of a page, which are in another queue or have other ids. */
  left({ first, last, count }: Page): void {
    this.row.size -= count;
    const latest = this.#latest?.row.first ?? 0;
    if (latest >= first && latest <= last) this.#latest = undefined;
    this.#undo(() => this.rewind());
  }

  /** Adds the batches of a page, with ids from here on. */
  joined({ count }: Page, place: OrderKey): void {
    this.row.size += count;
    this.row.put += count;
    this.#order.noticeFrom(this.step === 1 ? place : { ...place, first: place.first + count });
    if (this.#age !== this.#order) this.#age.noticeFrom(place);
  }

  /** Looks for waiting messages from the start of the order. */
  rewind(): void {
    this.#order = this.#newOrder();
    this.#age = this.#newAge();
  }

  #newOrder(): Order {
    const step = this.step;
    return new Order({
      start: step === 1 ? FIRST : LAST,
      step,
      compare: (a, b) => step * (a.priority - b.priority || a.first - b.first),
      next: (place) => this.#readyFrom(place),
      at: (place) => this.#tables.batch.find(place.first),
      isWaiting: (row) => this.isWaiting(row),
    });
  }

  #newAge(): Order {
    if (this.row.kind === 'fifo') return this.#order;
    return new Order({
      start: FIRST,
      step: 1,
      compare: (a, b) => a.first - b.first,
      next: (place) => this.#tables.ready.byAge(this.row.id, place),
      at: (place) => this.#tables.batch.find(place.first),
      isWaiting: (row) => this.isWaiting(row),
    });
  }

  #notice({ first, priority }: OrderKey): void {
    this.#order.notice({ first, priority });
    if (this.#age !== this.#order) this.#age.notice({ first, priority });
  }

  /** The batch that is ready at this place of the order, or behind it. */
  #readyFrom(place: OrderKey): BatchRow | undefined {
    const { id } = this.row;
    return this.step === 1 ? this.#tables.ready.from(id, place) : this.#tables.ready.backFrom(id, place);
  }

  /** The batches that messages wait in. */
  #waiting(order: Order): Iterable<BatchRow> {
    // If all waiting messages are in the latest batch, nothing is looked up.
    return this.#latest?.count(WAITING) === this.waiting ? [this.#latest.row] : order.waiting();
  }

  *#waitingFrom(place: OrderKey): Generator<BatchRow> {
    let row = this.#readyFrom(place);
    for (; row !== undefined; row = this.#readyFrom({ ...row, first: row.first + this.step }))
      if (this.isWaiting(row)) yield row;
  }

  *#next(limit: TakeLimit, now: number, from?: OrderKey): Generator<{ batch: Batch; runs: Run[] }> {
    // Nothing is looked up behind the last message that waits.
    let count = Math.min(limit.count, this.waiting);
    let { bytes } = limit;
    if (count <= 0 || bytes <= 0) return;
    for (const row of from ? this.#waitingFrom(from) : this.#waiting(this.#order)) {
      if (isExpired(row, now)) continue;
      const batch = this.#batch(row);
      const runs = this.#nextRuns(batch, { count, bytes });
      for (const { messages } of runs) {
        count -= messages.count;
        bytes -= sizeOf(messages);
      }
      yield { batch, runs };
      if (count <= 0 || bytes <= 0) return;
    }
  }

  #nextRuns(batch: Batch, limit: TakeLimit): Run[] {
    const { row } = batch;
    if (row.chunk === null) return batch.nextRuns(this.#bodiesOf(batch), this.step, limit);
    if (this.#chunks.isAltered(row)) throw this.#damaged();
    const { first: id, priority, put_at: putAt } = row;
    const messages = this.#chunks.message(row as BatchRow & Stored, () => this.#damaged());
    return [{ id, step: this.step, priority, putAt, failures: batch.failures(id), messages }];
  }

  #damaged(): MqError {
    const where = `${this.#tables.sql.path}: other queues go on`;
    return new MqError('DAMAGED', `messages of queue ${this.row.name} were altered in ${where}`);
  }

  #leaseRun(run: Run, until: number): Run {
    const { id, step, failures, messages } = run;
    const tokens = Array.from({ length: messages.count }, (_, i) => {
      const lease = newNonce();
      this.#tables.message.set({ id: id + i * step, queue: this.row.id, failures, lease, until });
      return leaseToken(id + i * step, lease);
    });
    this.row.got += messages.count;
    return { ...run, leases: { tokens, until } };
  }

  #known(first: number): Batch | undefined {
    return first === this.#latest?.row.first ? this.#latest : this.#active.get(first);
  }

  #batch(row: BatchRow): Batch {
    // A batch of which a message is gone has others.
    const gone = () => (row.count === 1 ? [] : this.#tables.gone.ofBatch(row));
    return this.#known(row.first) ?? new Batch(row, gone(), this.#tables.message.ofBatch(row));
  }

  #batchOf(id: number): Batch {
    const active = this.#active.get(id);
    if (active) return active;
    const row = this.#tables.batch.around(id);
    if (row === undefined) throw new Error(`message ${id} has gone`);
    return this.#batch(row);
  }

  #bodiesOf({ row }: Batch): Packed {
    return this.#bodies.get(row.first, () => {
      const messages = this.#tables.batch.messages(row);
      if (messages !== undefined) return messages;
      throw this.#damaged();
    });
  }

  /**
   * Calls `change` for each batch of this queue that has some of the ids, until `isOver`, and joins its answers.
   * @returns `rest`: the ids that were not looked at
   */
  #each(
    ids: readonly Range[],
    change: (batch: Batch, range: Range) => Range[],
    isOver: IsOver = never,
  ): { changed: Range[]; rest: Range[] } {
    const changed: Range[] = [];
    for (const [i, range] of ids.entries()) {
      let id = range.first;
      while (id <= range.last) {
        if (isOver()) return { changed, rest: [{ first: id, last: range.last }, ...ids.slice(i + 1)] };
        const active = this.#active.get(id);
        const row = active?.row ?? this.#tables.batch.around(id);
        if (row === undefined || row.first > range.last) break;
        id = row.first + row.count;
        if (active || ('queue' in row && row.queue === this.row.id)) {
          changed.push(...change(active ?? this.#batch(row), range));
        }
      }
    }
    return { changed, rest: [] };
  }

  /** Changes the state in memory of those messages that are in state `from`. @returns their ids */
  #change(batch: Batch, range: Range, from: State, to: State, isUndone = true): Range[] {
    const wasReady = batch.isReady;
    const changed = batch.change(range, from, to);
    if (changed.length === 0) return changed;
    const { first, priority, count } = batch.row;
    if (isUndone && wasReady !== batch.isReady) {
      if (wasReady) this.#tables.ready.delete(this.row.id, batch.row);
      else this.#tables.ready.insert(this.row.id, batch.row);
    }
    this.#count(from, -numberOf(changed));
    this.#count(to, numberOf(changed));
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
      for (const each of finished) this.#tables.message.delete(each);
    if (batch.count(GONE) === count) {
      this.#tables.batch.delete(first);
      this.#chunks.areUnused ||= batch.row.chunk !== null;
      if (numberOf(finished) < count) this.#tables.gone.delete({ first, last: batch.last });
      this.#active.delete(first);
      this.#bodies.delete(first);
      if (this.#latest === batch) this.#latest = undefined;
    } else {
      for (const each of finished) this.#tables.gone.set(this.row.id, batch.goneAround(each.first));
    }
    return finished;
  }

  /** The time of the put of the message with the least id among those that wait. */
  #oldestAt(): number | undefined {
    if (this.waiting === 0) return undefined;
    const [oldest] = this.#waiting(this.#age);
    return oldest?.put_at;
  }
}

/** @param held the number of held messages, which is not stored */
export function queueStateOf(row: QueueRow, held: number, oldestAt: number | undefined): QueueState {
  // Name by name: to copy what is left of a row takes longer than to read it.
  const { name, kind, maxsize, max_attempts, retry_delay, dead_letter, size, delayed, leased } = row;
  const { put, got, done, failed, dead, expired } = row;
  return {
    name,
    kind,
    maxsize,
    max_attempts,
    retry_delay,
    dead_letter,
    closed: row.closed === CLOSED_NOW ? 'now' : row.closed === 1,
    waiting: size - held - leased - delayed,
    delayed,
    held,
    leased,
    put,
    got,
    done,
    failed,
    dead,
    expired,
    oldestAt,
  };
}

export function isDamaged(error: unknown): boolean {
  return error instanceof MqError && error.code === 'DAMAGED';
}

/** The runs before the first damaged batch. @throws MqError DAMAGED when there are none */
function* whole<T>(items: Iterable<T>): Generator<T> {
  let hasAny = false;
  try {
    for (const item of items) {
      hasAny = true;
      yield item;
    }
  } catch (error) {
    if (!hasAny || !isDamaged(error)) throw error;
  }
}

export function isExpired({ expires_at }: BatchRow, now: number): boolean {
  return expires_at !== null && expires_at <= now;
}

function oneRange(id: number): Range {
  return { first: id, last: id };
}

/** The ids of the messages, from the least to the greatest. */
export function rangesOf(messages: readonly { id: number }[]): Range[] {
  const ranges: Range[] = [];
  for (const id of Float64Array.from(messages, (message) => message.id).sort()) {
    const last = ranges.at(-1);
    if (last && last.last + 1 === id) last.last = id;
    else ranges.push(oneRange(id));
  }
  return ranges;
}

function allOf({ row, last }: Batch): Range {
  return { first: row.first, last };
}

function numberOf(ranges: readonly Range[]): number {
  return ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
}
