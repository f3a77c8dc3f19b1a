import type { QueueState, Range, Run, TakeLimit } from '../store.ts';
import { Batch, type BatchRow } from './batch.ts';
import type { Bodies } from './bodies.ts';
import type { Undo } from './group-commit.ts';
import type { Place, QueueRow, Tables } from './tables.ts';

const FRONT: Place = { priority: -Infinity, first: 0 };
const BACK: Place = { priority: Infinity, first: Number.MAX_SAFE_INTEGER };

/** One queue of the store: its row, and what is held of its messages. */
export class StoredQueue {
  readonly row: QueueRow;
  readonly #tables: Tables;
  readonly #bodies: Bodies;
  /** The batches of which messages are held or gone, by their first id. */
  readonly #active = new Map<number, Batch>();
  /** No message before this place (in the order of taking) is waiting. */
  #from: Place;
  #held = 0;

  constructor(row: QueueRow, tables: Tables, bodies: Bodies) {
    this.row = row;
    this.#tables = tables;
    this.#bodies = bodies;
    this.#from = this.#start;
  }

  get closed(): boolean {
    return this.row.closed !== 0;
  }

  get waiting(): number {
    return this.row.size - this.#held;
  }

  /** How many more messages may be put. */
  get room(): number {
    return this.row.maxsize === 0 ? Infinity : Math.max(0, this.row.maxsize - this.waiting);
  }

  state(): QueueState {
    const { name, kind, maxsize, put, got } = this.row;
    const { closed, waiting } = this;
    return { name, kind, maxsize, closed, waiting, held: this.#held, put, got, oldestAt: this.#oldestAt() };
  }

  /** The next messages that wait, in order. */
  runs(limit: TakeLimit): Run[] {
    const runs: Run[] = [];
    let { count, bytes } = limit;
    for (const batch of this.#waitingBatches()) {
      const messages = this.#bodies.get(batch.row.first, () => ({
        count: batch.row.count,
        bytes: this.#tables.messages(batch.row.first),
      }));
      for (const run of batch.nextRuns(messages, this.#step, { count, bytes })) {
        runs.push(run);
        count -= run.messages.count;
        bytes -= run.messages.bytes.length;
      }
      if (count <= 0 || bytes <= 0) break;
    }
    return runs;
  }

  /** Holds those of the messages that are waiting; answers which those were. */
  hold(ids: readonly Range[]): Range[] {
    return this.#each(ids, (batch, range) => {
      const held = batch.hold(range);
      if (held.length > 0) this.#active.set(batch.row.first, batch);
      this.#held += sizeOf(held);
      return held;
    });
  }

  /** Those of the messages that are held wait again. */
  release(ids: readonly Range[]): void {
    this.#each(ids, (batch, range) => {
      const released = batch.release(range);
      this.#held -= sizeOf(released);
      this.#restore(batch);
      return released;
    });
  }

  /** Those of the messages that are held, or waiting, are gone; answers how many those were. */
  finish(ids: readonly Range[], from: 'held' | 'waiting', undo: (undo: Undo) => void): number {
    const finished = this.#each(ids, (batch, range) => {
      const ranges = batch.finish(range, from);
      if (ranges.length === 0) return ranges;
      const count = sizeOf(ranges);
      if (from === 'held') this.#held -= count;
      undo(() => {
        for (const each of ranges) batch.unfinish(each, from);
        if (from === 'held') this.#held += count;
        this.#active.set(batch.row.first, batch);
        this.#restore(batch);
      });
      this.#writeGone(batch, ranges);
      return ranges;
    });
    this.row.size -= sizeOf(finished);
    return sizeOf(finished);
  }

  /** Drops what is waiting; answers how many messages that were. */
  dropWaiting(undo: (undo: Undo) => void): number {
    const dropped = this.waiting;
    // Batches of which some are held stay, without the others; those between them go as a whole.
    const kept = [...this.#active.values()]
      .filter(({ held }) => held > 0)
      .sort((a, b) => a.row.first - b.row.first);
    let after = 0;
    for (const batch of kept) {
      this.#tables.deleteBatches(this.row.id, { first: after, last: batch.row.first - 1 });
      const ranges = batch.finish({ first: batch.row.first, last: batch.last }, 'waiting');
      undo(() => {
        for (const range of ranges) batch.unfinish(range, 'waiting');
      });
      this.#writeGone(batch, ranges);
      after = batch.last + 1;
    }
    this.#tables.deleteBatches(this.row.id, { first: after, last: Number.MAX_SAFE_INTEGER });
    const before = [...this.#active];
    this.#active.clear();
    for (const batch of kept) this.#active.set(batch.row.first, batch);
    undo(() => {
      for (const [first, batch] of before) this.#active.set(first, batch);
      this.rewind();
    });
    this.row.size -= dropped;
    return dropped;
  }

  /** A message is waiting there now. */
  noticePlace(place: Place): void {
    if (this.#isBefore(place, this.#from)) this.#from = place;
  }

  /** Looks for waiting messages from the start of the order. */
  rewind(): void {
    this.#from = this.#start;
  }

  get #step(): 1 | -1 {
    return this.row.kind === 'lifo' ? -1 : 1;
  }

  get #start(): Place {
    return this.row.kind === 'lifo' ? BACK : FRONT;
  }

  *#waitingBatches(): Generator<Batch> {
    let place = this.#from;
    let skipping = true;
    for (;;) {
      const row =
        this.row.kind === 'lifo'
          ? this.#tables.batchBackFrom(this.row.id, place)
          : this.#tables.batchFrom(this.row.id, place);
      if (row === undefined) break;
      const batch = this.#batch(row);
      if (batch.waiting > 0) {
        if (skipping) this.#from = { priority: row.priority, first: row.first };
        skipping = false;
        yield batch;
      }
      place = { priority: row.priority, first: row.first + this.#step };
    }
    if (skipping) this.#from = place;
  }

  #batch(row: BatchRow): Batch {
    return this.#active.get(row.first) ?? new Batch(row, this.#tables.gone(row));
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

  #writeGone(batch: Batch, ranges: readonly Range[]): void {
    const { first, count } = batch.row;
    if (batch.gone === count) {
      this.#tables.deleteBatch(first);
      this.#tables.deleteGone({ first, last: batch.last });
      this.#active.delete(first);
      this.#bodies.delete(first);
      return;
    }
    this.#active.set(first, batch);
    for (const range of ranges) this.#tables.setGone(this.row.id, batch.goneAround(range.first));
  }

  /** After messages of the batch came back. */
  #restore(batch: Batch): void {
    const { first, priority, count } = batch.row;
    if (batch.waiting > 0) this.noticePlace({ priority, first });
    if (batch.waiting === count) this.#active.delete(first);
  }

  #isBefore(a: Place, b: Place): boolean {
    const difference = a.priority - b.priority || a.first - b.first;
    return this.row.kind === 'lifo' ? difference > 0 : difference < 0;
  }

  /** When the message with the least id of those that wait was put. */
  #oldestAt(): number | undefined {
    if (this.waiting === 0) return undefined;
    let oldest: BatchRow | undefined;
    for (const priority of this.#tables.priorities(this.row.id)) {
      let row = this.#tables.batchFrom(this.row.id, { priority, first: 0 });
      while (row && row.priority === priority && this.#batch(row).waiting === 0) {
        row = this.#tables.batchFrom(this.row.id, { priority, first: row.first + 1 });
      }
      if (row && row.priority === priority && (!oldest || row.first < oldest.first)) oldest = row;
    }
    return oldest?.put_at;
  }
}

function sizeOf(ranges: readonly Range[]): number {
  return ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
}
