import { join, type Packed, pieces } from '../../packed.ts';
import { type Range, rangesOf } from '../../range.ts';
import { closed, deadLetterOf, full, isDamaged, isGivenUp, noRoomFor, retryDelay } from '../rules.ts';
import { type Run, rangeOf } from '../run.ts';
import type { Announcer } from './announcer.ts';
import { DELAYED, isExpired, LEASED, WAITING } from './batch.ts';
import type { StepProgress } from './long-steps.ts';
import type { MessageIds } from './message-ids.ts';
import { type Move, moveSome } from './move.ts';
import { CLOSED_NOW } from './queue-counts.ts';
import type { StoreClock } from './store-clock.ts';
import type { StoredQueue } from './stored-queue.ts';
import type { StoredQueues } from './stored-queues.ts';
import type { BatchRow, Label, MessageRow, Stored } from './tables/table-rows.ts';
import type { Tables } from './tables/tables.ts';
import { aTurn } from './turn.ts';

/**
 * Bytes at which batches are cut: small enough to be loaded for one message, and large enough that the messages which
 * mq put reads at a time are one batch.
 */
export const BATCH_BYTES = 96 * 1024;

/** The particulars of a batch that is put. */
export type NewBatch = Pick<BatchRow, 'priority' | 'put_at' | 'due_at' | 'expires_at'>;

/** The parts of a store that its steps change. */
export interface StepsContext {
  tables: Tables;
  queues: StoredQueues;
  announcer: Announcer;
  ids: MessageIds;
  clock: StoreClock;
}

/** The elements of the store's steps; each is called within a transaction. */
export class Steps {
  readonly #tables: Tables;
  readonly #queues: StoredQueues;
  readonly #announcer: Announcer;
  readonly #ids: MessageIds;
  readonly #clock: StoreClock;

  constructor({ tables, queues, announcer, ids, clock }: StepsContext) {
    this.#tables = tables;
    this.#queues = queues;
    this.#announcer = announcer;
    this.#ids = ids;
    this.#clock = clock;
  }

  /**
   * @param chunks places of the large messages, by their offsets in the bytes
   * @returns the ids
   */
  append(
    queue: StoredQueue,
    messages: Packed,
    batch: NewBatch,
    label: Label | undefined,
    chunks: ReadonlyMap<number, Stored>,
  ): Range {
    const first = this.#ids.next;
    for (const piece of pieces(messages, BATCH_BYTES)) {
      const stored = chunks.get(piece.bytes.byteOffset);
      if (stored) this.#tables.chunk.deleteUnused(stored.chunk);
      this.#add(queue, stored ?? piece, batch, label);
    }
    return { first, last: this.#ids.next - 1 };
  }

  /** Messages on lease are done. */
  finish(queue: StoredQueue, messages: readonly MessageRow[]): void {
    this.#queues.touch(queue);
    queue.row.done += queue.finish(rangesOf(messages), [LEASED]).count;
  }

  /** Messages that were on lease, or delayed, come back. */
  comeBack(queue: StoredQueue, messages: readonly MessageRow[], from: typeof LEASED | typeof DELAYED): void {
    this.#queues.touch(queue);
    queue.comeBack(messages, from);
    this.drop(queue, rangesOf(messages));
  }

  /** The lease of a message has run out. */
  runOut(queue: StoredQueue, message: MessageRow): void {
    try {
      this.fail(queue, message, 0);
    } catch (error) {
      if (!isDamaged(error)) throw error;
      // The message cannot be given up on, and is in nobody else's way.
      this.comeBack(queue, [message], LEASED);
    }
  }

  /** @throws MqError DAMAGED when it cannot be given up on; then nothing has happened */
  fail(queue: StoredQueue, message: MessageRow, delay?: number): void {
    const { row } = queue;
    const failures = message.failures + 1;
    const ids = [{ first: message.id, last: message.id }];
    const dead = row.closed !== CLOSED_NOW && isGivenUp(row, failures) && queue.message(message.id);
    this.#queues.touch(queue);
    row.failed += 1;
    if (dead) {
      row.dead += 1;
      const label = this.#tables.batch.label(dead.row);
      queue.finish(ids, [LEASED]);
      const name = deadLetterOf(row.name, row);
      const target = this.#queues.find(name) ?? this.#queues.make(name);
      this.#transfer(target, dead.messages ?? storedOf(dead.row), dead.row, null, {
        key: label?.key ?? null,
        key_queue: label?.key_queue ?? null,
        origin_queue: this.#tables.batch.originQueue(row.name),
        origin_id: message.id,
      });
      return;
    }
    const wait = delay ?? retryDelay(row, failures);
    const until = wait > 0 ? this.#clock.now() + wait : null;
    queue.fail(message, until);
    this.#announcer.dueAt(until ?? Infinity);
    this.drop(queue, ids);
  }

  /** Drops those of the messages that are back and must not be. */
  drop(queue: StoredQueue, ids: readonly Range[]): void {
    this.#queues.touch(queue);
    if (queue.row.closed === CLOSED_NOW) queue.finish(ids, [WAITING, DELAYED]);
    else queue.expire(ids, this.#clock.now());
  }

  /**
   * @returns the number of messages that are to be moved, if there are as many
   * @throws MqError NOQUEUE, CLOSED, FULL
   */
  checkMove(from: string, to: string, count: number): number {
    const source = this.#queues.get(from);
    const target = this.#queues.find(to);
    const most = Math.min(count, source.counts.waiting);
    if (target?.closed) throw closed(to);
    if (target && target !== source && target.counts.room < most) throw noRoomFor(most, to);
    return most;
  }

  /** A part of a move. @param most messages */
  move(name: string, to: string, most: number, { answer, position, from }: StepProgress): StepProgress {
    const source = this.#queues.find(name);
    const known = this.#queues.find(to);
    if (source === undefined || position === undefined) return { answer, position: undefined };
    const target = () => {
      const queue = this.#queues.find(to) ?? this.#queues.make(to);
      this.#queues.touch(source);
      this.#queues.touch(queue);
      return queue;
    };
    const copy = (runs: readonly Run[], row: BatchRow) => {
      const label = this.#tables.batch.label(row);
      const queue = target();
      source.finish(runs.map(rangeOf), [WAITING]);
      this.#transfer(
        queue,
        row.chunk === null ? join(runs.map((run) => run.messages as Packed)) : storedOf(row),
        row,
        row.expires_at,
        queue === source ? label : labelOf(queue, keyOf(queue, label)),
      );
    };
    const move: Move = {
      source,
      target,
      before: position,
      count: most - answer,
      room: known?.closed ? 0 : known && known !== source ? known.counts.room : Infinity,
      refusal: () => (known?.closed ? closed(to) : full(to)),
      now: this.#clock.now(),
      newIds: (count) => this.#ids.take(count),
      copy,
    };
    const part = moveSome(this.#tables, move, from, aTurn());
    return { answer: answer + part.moved, position: part.from && position, from: part.from };
  }

  /**
   * Moves one message that waits to the end of another queue.
   * @returns whether it waits
   * @throws MqError CLOSED, FULL, DAMAGED
   */
  moveOne(source: StoredQueue, to: string, id: number): boolean {
    const batch = source.batches.find(id);
    if (batch?.stateOf(id) !== WAITING || isExpired(batch.row, this.#clock.now())) return false;
    const known = this.#queues.find(to);
    if (known?.closed) throw closed(to);
    if (known && known !== source && known.counts.room === 0) throw full(to);
    this.#takeOver(source, to, id);
    return true;
  }

  /**
   * Tries a message again that has failed: see Store.retry.
   * @param isNamed whether one that was put with a delay is meant too
   * @returns whether there is one; or the queue that takes no messages, so that it stays
   */
  retry(queue: StoredQueue, id: number, isNamed: boolean): boolean | { closed: string } {
    const batch = queue.batches.find(id);
    if (batch === undefined || isExpired(batch.row, this.#clock.now())) return false;
    const state = batch.stateOf(id);
    const { origin_queue, due_at } = batch.row;
    if (origin_queue !== null && (state === WAITING || state === DELAYED)) {
      const name = this.#tables.batch.originName(origin_queue);
      if (this.#queues.find(name)?.closed) return { closed: name };
      this.#takeOver(queue, name, id);
      return true;
    }
    if (state !== DELAYED || (due_at !== null && !isNamed)) return false;
    this.#queues.touch(queue);
    if (due_at !== null) queue.due(queue.batches.single(batch, id).row);
    else this.comeBack(queue, [this.#tables.message.find(id) as MessageRow], DELAYED);
    return true;
  }

  /** A message that waits, or is delayed, goes to the end of another queue. @throws MqError DAMAGED */
  #takeOver(source: StoredQueue, to: string, id: number): void {
    const { row, messages } = source.message(id);
    const target = this.#queues.find(to) ?? this.#queues.make(to);
    const label = this.#tables.batch.label(row);
    this.#queues.touch(source);
    source.finish([{ first: id, last: id }], [WAITING, DELAYED]);
    const kept = target === source ? label : labelOf(target, keyOf(target, label));
    this.#transfer(target, messages ?? storedOf(row), row, row.expires_at, kept);
  }

  /** A part of a purge. */
  purge(name: string, { answer, position, from }: StepProgress): StepProgress {
    const queue = this.#queues.find(name);
    if (queue === undefined || position === undefined) return { answer, position: undefined };
    this.#queues.touch(queue);
    const part = queue.dropPending(position, from, aTurn());
    return { answer: answer + part.dropped, position: part.from && position, from: part.from };
  }

  #add(queue: StoredQueue, contents: Packed | Stored, batch: NewBatch, label?: Label): void {
    this.#queues.touch(queue);
    const isStored = 'chunk' in contents;
    const { chunk, size } = isStored ? contents : { chunk: null, size: null };
    const count = isStored ? 1 : contents.count;
    const { origin_queue = null, origin_id = null } = label ?? {};
    const row = { ...batch, first: this.#ids.take(count), count, chunk, size, origin_queue, origin_id };
    queue.batches.append(row, isStored ? undefined : contents, label);
    this.#announcer.dueAt(Math.min(batch.due_at ?? Infinity, batch.expires_at ?? Infinity));
  }

  /** Adds messages of a batch of another queue. */
  #transfer(
    to: StoredQueue,
    messages: Packed | Stored,
    { priority, put_at }: BatchRow,
    expires_at: number | null,
    label?: Label,
  ): void {
    this.#queues.touch(to);
    // A dead letter is not dropped when it comes back.
    if (to.row.closed === CLOSED_NOW) to.row.closed = 1;
    const batch = { priority: to.row.kind === 'priority' ? priority : 0, put_at, due_at: null, expires_at };
    if ('chunk' in messages) {
      this.#tables.chunk.deleteUnused(messages.chunk);
      this.#add(to, messages, batch, label);
    } else for (const piece of pieces(messages, BATCH_BYTES)) this.#add(to, piece, batch, label);
  }
}

/** The place of a batch's message that is in chunks. */
function storedOf({ chunk, size }: BatchRow): Stored {
  return { chunk: chunk as number, size: size as number };
}

/** The label of a message with this key of the queue. */
export function labelOf({ row }: StoredQueue, key: string | undefined): Label | undefined {
  return key === undefined ? undefined : { key, key_queue: row.id, origin_queue: null, origin_id: null };
}

/** The key of this queue that a message from another one has. */
function keyOf({ row }: StoredQueue, label: Label | undefined): string | undefined {
  return label?.key_queue === row.id ? (label.key ?? undefined) : undefined;
}
