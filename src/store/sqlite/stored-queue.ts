import { type Large, type Packed, sizeOf } from '../../packed.ts';
import { countOf, type Range, rangesOf } from '../../range.ts';
import type { QueueState } from '../queue-state.ts';
import { leaseToken, newNonce, noLease, parseLease } from '../rules.ts';
import { type Run, rangeOf } from '../run.ts';
import type { TakeLimit } from '../store.ts';
import { type Batch, DELAYED, HELD, isExpired, LEASED, type State, WAITING } from './batch.ts';
import type { Chunks } from './chunks.ts';
import type { Undo } from './group-commit.ts';
import { QueueBatches, type QueueContext, whole } from './queue-batches.ts';
import { QueueCounts, queueStateOf } from './queue-counts.ts';
import { FIRST } from './queue-order.ts';
import type { BatchRow, MessageRow, OrderKey, QueueRow, Stored } from './tables/table-rows.ts';
import type { Tables } from './tables/tables.ts';
import { type IsOver, never } from './turn.ts';

/** The most messages that are leased at a time: each is a row. */
const MOST_LEASED = 1000;

/** A queue of the store: its row, and the states of its messages. */
export class StoredQueue {
  readonly row: QueueRow;
  readonly counts: QueueCounts;
  readonly batches: QueueBatches;
  readonly #tables: Tables;
  readonly #chunks: Chunks;
  readonly #undo: (undo: Undo) => void;

  /** @param context its `undo` is called for all changes but those by `release` */
  constructor(row: QueueRow, context: QueueContext) {
    this.row = row;
    this.counts = new QueueCounts(row);
    this.batches = new QueueBatches(this.counts, context);
    this.#tables = context.tables;
    this.#chunks = context.chunks;
    this.#undo = context.undo;
  }

  /** Whether all that is known of it is in the file, and can be read again. */
  get isIdle(): boolean {
    return this.batches.areIdle && this.counts.held === 0;
  }

  get closed(): boolean {
    return this.row.closed !== 0;
  }

  /** @see QueueOrder.step */
  get step(): 1 | -1 {
    return this.batches.order.step;
  }

  state(): QueueState {
    return queueStateOf(this.row, this.counts.held, this.batches.oldestAt());
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
      for (const run of runs) this.batches.change(batch, rangeOf(run), WAITING, HELD);
      all.push(...runs);
      if (isOver()) return { runs: all, isPart: true };
    }
    return { runs: all, isPart: false };
  }

  /** Leases the next messages for some milliseconds, as `hold` holds them. */
  lease(limit: TakeLimit, now: number, duration: number, isOver: IsOver): { runs: Run[]; isPart: boolean } {
    const count = Math.min(limit.count, MOST_LEASED);
    const all: Run[] = [];
    let left = count;
    for (const { batch, runs } of whole(this.#next({ ...limit, count }, now))) {
      for (const run of runs) {
        this.batches.change(batch, rangeOf(run), WAITING, LEASED);
        all.push(this.#leaseRun(run, now, duration));
        left -= run.messages.count;
      }
      if (isOver()) return { runs: all, isPart: true };
    }
    return { runs: all, isPart: left === 0 && count < limit.count };
  }

  /** The row of the batch that a message is in, and the message by itself; undefined: it is in chunks. */
  message(id: number): { row: BatchRow; messages: Packed | undefined } {
    const batch = this.batches.batchOf(id);
    const messages = batch.row.chunk === null ? batch.only(id, this.batches.bodiesOf(batch)) : undefined;
    return { row: batch.row, messages };
  }

  /** Holds those of the messages that are waiting. @returns their ids */
  holdThese(ids: readonly Range[]): Range[] {
    return this.batches.each(ids, (batch, range) => this.batches.change(batch, range, WAITING, HELD)).changed;
  }

  /**
   * Lets those of the messages wait again that are held, until `isOver`. Never undone, because holds are not stored.
   * @returns their ids, and the ids that were not looked at
   */
  release(ids: readonly Range[], isOver: IsOver): { changed: Range[]; rest: Range[] } {
    return this.batches.each(
      ids,
      (batch, range) => this.batches.change(batch, range, HELD, WAITING, false),
      isOver,
    );
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
    const finish = (batch: Batch, range: Range) =>
      states.flatMap((from) => this.batches.finish(batch, range, from));
    const { changed, rest } = this.batches.each(ids, finish, isOver);
    return { count: countOf(changed), rest };
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

  /** The messages of the leases among these that are there. */
  findLeases(tokens: readonly string[]): MessageRow[] {
    return tokens.map((token) => this.findLease(token)).filter((message) => message !== undefined);
  }

  extend({ id }: MessageRow, until: number): void {
    this.#tables.message.setUntil(id, until);
  }

  /** Lets messages wait that were on lease or delayed. */
  comeBack(messages: readonly MessageRow[], from: typeof LEASED | typeof DELAYED): void {
    // Before the rows change: batches are made from them.
    this.batches.each(rangesOf(messages), (batch, range) => this.batches.change(batch, range, from, WAITING));
    for (const message of messages)
      if (message.failures > 0) this.#tables.message.set({ ...message, lease: null, until: null });
    const others = messages.filter(({ failures }) => failures === 0);
    for (const range of rangesOf(others)) this.#tables.message.delete(range);
  }

  /** Fails a message on lease: it waits, or is delayed until `until`. */
  fail(message: MessageRow, until: number | null): void {
    const { id, failures } = message;
    const batch = this.batches.batchOf(id);
    this.#tables.message.set({ ...message, failures: failures + 1, lease: null, until });
    batch.setFailures(id, failures + 1);
    this.#undo(() => batch.setFailures(id, failures));
    this.batches.change(batch, { first: id, last: id }, LEASED, until === null ? WAITING : DELAYED);
  }

  /** Lets the messages of a batch wait that was put with a delay. */
  due(row: BatchRow): void {
    const batch = this.batches.batch(row);
    const { due_at } = batch.row;
    this.#tables.batch.clearDue(row.first);
    batch.row.due_at = null;
    this.#undo(() => {
      batch.row.due_at = due_at;
    });
    this.batches.change(batch, allOf(batch), DELAYED, WAITING);
  }

  /** Whether any of these messages must be dropped if they wait. */
  areExpired(ids: readonly Range[], now: number): boolean {
    let are = false;
    this.batches.each(ids, ({ row }) => {
      are ||= isExpired(row, now);
      return [];
    });
    return are;
  }

  /** Drops those of the messages that are waiting or delayed and have expired. */
  expire(ids: readonly Range[], now: number): void {
    const { changed } = this.batches.each(ids, (batch, range) =>
      isExpired(batch.row, now)
        ? [...this.batches.finish(batch, range, WAITING), ...this.batches.finish(batch, range, DELAYED)]
        : [],
    );
    this.row.expired += countOf(changed);
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
    const pending = this.counts.pending;
    let next = from;
    for (const row of this.#tables.batchesOf(this.row.id, before, from ?? FIRST)) {
      if (isOver()) return { dropped: pending - this.counts.pending, from: next };
      const batch = this.batches.batch(row);
      for (const state of [WAITING, DELAYED] as const) this.batches.finish(batch, allOf(batch), state);
      next = { priority: row.priority, first: row.first + 1 };
    }
    return { dropped: pending - this.counts.pending, from: undefined };
  }

  /** The next `most` messages of a batch that wait. @throws MqError DAMAGED */
  runsIn(row: BatchRow, most: number): Run[] {
    const batch = this.batches.batch(row);
    return this.#nextRuns(batch, { count: most, bytes: Infinity });
  }

  *#next(limit: TakeLimit, now: number, from?: OrderKey): Generator<{ batch: Batch; runs: Run[] }> {
    // Nothing is looked up behind the last message that waits.
    let count = Math.min(limit.count, this.counts.waiting);
    let { bytes } = limit;
    if (count <= 0 || bytes <= 0) return;
    if (limit.id !== undefined) {
      const batch = this.batches.find(limit.id);
      if (batch?.stateOf(limit.id) === WAITING && !isExpired(batch.row, now))
        yield { batch, runs: [this.runOf(batch, limit.id)] };
      return;
    }
    for (const row of this.batches.waiting(from)) {
      if (isExpired(row, now)) continue;
      const batch = this.batches.batch(row);
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
    const { chunk, origin_queue, first } = batch.row;
    if (chunk !== null || origin_queue !== null) return [this.runOf(batch, first)];
    return batch.nextRuns(this.batches.bodiesOf(batch), this.step, limit);
  }

  /** One message, in whatever state it is. @throws MqError DAMAGED */
  runOf(batch: Batch, id: number): Run {
    const { row } = batch;
    const run = batch.runOf(id, this.#bodyOf(batch, id), this.step);
    const { origin_queue: queue, origin_id } = row;
    if (queue === null || origin_id === null) return run;
    return { ...run, origin: { queue: this.#tables.batch.originName(queue), id: origin_id } };
  }

  #bodyOf(batch: Batch, id: number): Packed | Large {
    const { row } = batch;
    if (row.chunk === null) return batch.only(id, this.batches.bodiesOf(batch));
    if (this.#chunks.isAltered(row)) throw this.batches.damaged();
    return this.#chunks.message(row as BatchRow & Stored, () => this.batches.damaged());
  }

  #leaseRun(run: Run, now: number, duration: number): Run {
    const until = now + duration;
    const { id, step, failures, messages } = run;
    const tokens = Array.from({ length: messages.count }, (_, i) => {
      const lease = newNonce();
      this.#tables.message.set({ id: id + i * step, queue: this.row.id, failures, lease, until });
      return leaseToken(id + i * step, lease);
    });
    this.row.got += messages.count;
    return { ...run, leases: { tokens, left: duration } };
  }
}

function allOf({ row, last }: Batch): Range {
  return { first: row.first, last };
}
