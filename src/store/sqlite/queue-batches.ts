import { MqError } from '../../errors.ts';
import { type Packed, splitAt } from '../../packed.ts';
import { countOf, type Range } from '../../range.ts';
import { isDamaged } from '../rules.ts';
import { Batch, DELAYED, GONE, HELD, LEASED, type State, WAITING } from './batch.ts';
import type { BodyCache } from './body-cache.ts';
import type { Chunks } from './chunks.ts';
import type { Undo } from './group-commit.ts';
import type { QueueCounts } from './queue-counts.ts';
import { QueueOrder } from './queue-order.ts';
import type { BatchRow, Label, OrderKey, Page, QueueRow } from './tables/table-rows.ts';
import type { Tables } from './tables/tables.ts';
import { type IsOver, never } from './turn.ts';

/** The parts of a store that its queues use. */
export interface QueueContext {
  tables: Tables;
  bodies: BodyCache;
  chunks: Chunks;
  /** Called with an undo for each change in memory. */
  undo: (undo: Undo) => void;
}

/** A queue's batches and the states of their messages, in memory and in the file. */
export class QueueBatches {
  readonly order: QueueOrder;
  readonly #row: QueueRow;
  readonly #counts: QueueCounts;
  readonly #tables: Tables;
  readonly #bodies: BodyCache;
  readonly #chunks: Chunks;
  readonly #undo: (undo: Undo) => void;
  /** Batches that were looked at and of which not all messages are waiting, by their first ids. */
  readonly #active = new Map<number, Batch>();
  /** The batch that was put last, while it is in the file: most often all waiting messages are in it, and nothing is looked up. */
  #latest: Batch | undefined;

  constructor(counts: QueueCounts, { tables, bodies, chunks, undo }: QueueContext) {
    this.#row = counts.row;
    this.#counts = counts;
    this.#tables = tables;
    this.#bodies = bodies;
    this.#chunks = chunks;
    this.#undo = undo;
    this.order = new QueueOrder(counts.row, tables, (row) => this.isWaiting(row));
  }

  /** Whether all that is known of them is in the file, and can be read again. */
  get areIdle(): boolean {
    return this.#active.size === 0;
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

  /** The batches that messages wait in, in the order of taking. */
  waiting(from?: OrderKey): Iterable<BatchRow> {
    if (from) return this.order.waitingFrom(from);
    return this.#onlyWaiting() ?? this.order.waiting();
  }

  /** The time of the put of the message with the least id among those that wait. */
  oldestAt(): number | undefined {
    if (this.#counts.waiting === 0) return undefined;
    const [oldest] = this.#onlyWaiting() ?? this.order.byAge();
    return oldest?.put_at;
  }

  batch(row: BatchRow): Batch {
    // A batch of which a message is gone has others.
    const gone = () => (row.count === 1 ? [] : this.#tables.gone.ofBatch(row));
    return this.#known(row.first) ?? new Batch(row, gone(), this.#tables.message.ofBatch(row));
  }

  /** The batch that a message is in. */
  batchOf(id: number): Batch {
    const active = this.#active.get(id);
    if (active) return active;
    const row = this.#tables.batch.around(id);
    if (row === undefined) throw new Error(`message ${id} has gone`);
    return this.batch(row);
  }

  /** The batch of this queue that has this id; undefined: there is none. */
  find(id: number): Batch | undefined {
    const row = this.#tables.batch.around(id);
    return row && row.first <= id && row.queue === this.#row.id ? this.batch(row) : undefined;
  }

  /** The first id of the next batch from this id on in which a message is held; Infinity: there is none. */
  heldFrom(id: number): number {
    let next = Infinity;
    for (const [first, batch] of this.#active)
      if (first >= id && first < next && batch.count(HELD) > 0) next = first;
    return next;
  }

  /** @throws MqError DAMAGED */
  bodiesOf({ row }: Batch): Packed {
    return this.#bodies.get(row.first, () => {
      const messages = this.#tables.batch.messages(row);
      if (messages !== undefined) return messages;
      throw this.damaged();
    });
  }

  damaged(): MqError {
    const where = `${this.#tables.sql.path}: other queues go on`;
    return new MqError('DAMAGED', `messages of queue ${this.#row.name} were altered in ${where}`);
  }

  /** Adds a batch that was put: its messages wait, unless they are delayed. */
  append(row: BatchRow, messages: Packed | undefined, label?: Label): void {
    const { first, count } = row;
    this.#tables.batch.insert(row, this.#row.id, messages, label);
    if (messages) this.#bodies.set(first, messages);
    this.#latest = new Batch(row, [], []);
    this.#row.size += count;
    this.#row.put += count;
    if (row.due_at === null) {
      this.#tables.ready.insert(this.#row.id, row);
      this.order.notice(row);
    } else this.#row.delayed += count;
    this.#undo(() => {
      this.#latest = undefined;
      this.#bodies.delete(first);
    });
  }

  /** Makes a batch of its own of one message of a batch that was put with a delay. @returns it; @throws MqError DAMAGED */
  single(batch: Batch, id: number): Batch {
    const { row } = batch;
    if (row.count === 1) return batch;
    const [before, rest] = splitAt(this.bodiesOf(batch), id - row.first);
    const [own, behind] = splitAt(rest, 1);
    const wasActive = this.#active.has(row.first);
    const wasLatest = this.#latest === batch;
    this.#tables.batch.delete(row.first);
    this.#active.delete(row.first);
    this.#bodies.delete(row.first);
    if (wasLatest) this.#latest = undefined;
    this.#undo(() => {
      this.#bodies.delete(row.first);
      if (wasActive) this.#active.set(row.first, batch);
    });
    const pieces: [number, Packed][] = [
      [row.first, before],
      [id, own],
      [id + 1, behind],
    ];
    for (const [first, messages] of pieces) {
      const ids = { first, last: first + messages.count - 1 };
      if (messages.count === 0) continue;
      if (batch.isGone(ids)) this.#tables.gone.delete(ids);
      else this.#tables.batch.insert({ ...row, first, count: messages.count }, this.#row.id, messages);
    }
    return this.batch({ ...row, first: id, count: 1 });
  }

  /** Forgets the batches of a page, which are in another queue or have other ids. */
  left({ first, last, count }: Page): void {
    this.#row.size -= count;
    const latest = this.#latest?.row.first ?? 0;
    if (latest >= first && latest <= last) this.#latest = undefined;
    this.#undo(() => this.order.rewind());
  }

  /** Adds the batches of a page, with ids from here on. */
  joined({ count }: Page, place: OrderKey): void {
    this.#row.size += count;
    this.#row.put += count;
    this.order.noticeMany(place, count);
  }

  /**
   * Calls `change` for each batch of this queue that has some of the ids, until `isOver`, and joins its answers.
   * @returns `rest`: the ids that were not looked at
   */
  each(
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
        if (active || ('queue' in row && row.queue === this.#row.id)) {
          changed.push(...change(active ?? this.batch(row), range));
        }
      }
    }
    return { changed, rest: [] };
  }

  /**
   * Changes the state in memory of those messages that are in state `from`. @returns their ids
   * @param isUndone whether it is undone with its transaction, and stands in the table `ready`
   */
  change(batch: Batch, range: Range, from: State, to: State, isUndone = true): Range[] {
    const wasReady = batch.isReady;
    const changed = batch.change(range, from, to);
    if (changed.length === 0) return changed;
    const { first, count } = batch.row;
    if (isUndone && wasReady !== batch.isReady) {
      if (wasReady) this.#tables.ready.delete(this.#row.id, batch.row);
      else this.#tables.ready.insert(this.#row.id, batch.row);
    }
    this.#counts.add(from, -countOf(changed));
    this.#counts.add(to, countOf(changed));
    this.#active.set(first, batch);
    if (to === WAITING) {
      this.order.notice(batch.row);
      if (batch.count(WAITING) === count) this.#active.delete(first);
    }
    if (isUndone) {
      this.#undo(() => {
        for (const each of changed) this.change(batch, each, to, from, false);
      });
    }
    return changed;
  }

  /** Deletes those of the messages that are in state `from`. @returns their ids */
  finish(batch: Batch, range: Range, from: State): Range[] {
    const finished = this.change(batch, range, from, GONE);
    const { first, count } = batch.row;
    if (batch.isParticular || from === LEASED || from === DELAYED)
      for (const each of finished) this.#tables.message.delete(each);
    if (batch.count(GONE) === count) {
      this.#tables.batch.delete(first);
      this.#chunks.areUnused ||= batch.row.chunk !== null;
      if (countOf(finished) < count) this.#tables.gone.delete({ first, last: batch.last });
      this.#active.delete(first);
      this.#bodies.delete(first);
      if (this.#latest === batch) this.#latest = undefined;
    } else {
      for (const each of finished) this.#tables.gone.set(this.#row.id, batch.goneAround(each.first));
    }
    return finished;
  }

  /** The latest batch, if all waiting messages are in it: then nothing is looked up. */
  #onlyWaiting(): [BatchRow] | undefined {
    return this.#latest?.count(WAITING) === this.#counts.waiting ? [this.#latest.row] : undefined;
  }

  #known(first: number): Batch | undefined {
    return first === this.#latest?.row.first ? this.#latest : this.#active.get(first);
  }
}

/** The runs before the first damaged batch. @throws MqError DAMAGED when there are none */
export function* whole<T>(items: Iterable<T>): Generator<T> {
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
