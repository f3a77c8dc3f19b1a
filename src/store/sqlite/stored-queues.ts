import { DEFAULT_SETTINGS, type Settings } from '../../settings.ts';
import { deadLetterOf, noQueue } from '../rules.ts';
import type { Announcer } from './announcer.ts';
import type { QueueContext } from './queue-batches.ts';
import { StoredQueue } from './stored-queue.ts';
import type { Tables } from './tables/tables.ts';
import type { IsOver } from './turn.ts';

/** Queues in memory from which on those that are not in use are let go, once there are twice as many as were in use. */
const MANY = 1000;

/** The queues of the store, as far as they were looked at, and their rows that are to be written. */
export class StoredQueues {
  readonly #context: QueueContext;
  readonly #announcer: Announcer;
  readonly #known = new Map<string, StoredQueue>();
  readonly #unwritten = new Set<StoredQueue>();
  #most = MANY;

  constructor(context: QueueContext, announcer: Announcer) {
    this.#context = context;
    this.#announcer = announcer;
  }

  get #tables(): Tables {
    return this.#context.tables;
  }

  /** @throws MqError NOQUEUE */
  get(name: string): StoredQueue {
    const queue = this.find(name);
    if (queue === undefined) throw noQueue(name);
    return queue;
  }

  find(name: string): StoredQueue | undefined {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const row = this.#tables.queue.find(name);
    if (row === undefined) return undefined;
    const queue = new StoredQueue(row, this.#context);
    this.#known.set(name, queue);
    return queue;
  }

  /** The queue with this id; undefined: it has been removed, and some of its messages are still in the file. */
  withId(id: number): StoredQueue | undefined {
    const name = this.#tables.queue.name(id);
    return name === undefined ? undefined : this.get(name);
  }

  /** The queue if it is in memory; undefined also for a queue of which nothing is held. */
  inUse(name: string): StoredQueue | undefined {
    return this.#known.get(name);
  }

  make(name: string, settings: Partial<Settings> = {}): StoredQueue {
    this.#tables.queue.insert(name, { ...DEFAULT_SETTINGS, ...settings });
    this.#context.undo(() => this.#known.delete(name));
    return this.get(name);
  }

  /** @param isOver tells when the rest of its messages is left to `Tables.removed` */
  remove(queue: StoredQueue, isOver: IsOver): void {
    const { id, name } = queue.row;
    this.#tables.queue.delete(id);
    if (!this.#tables.deleteBatches(id, isOver)) this.#tables.queue.insertRemoved(id);
    this.#known.delete(name);
    this.#announcer.changed(name);
    this.#unwritten.delete(queue);
    this.#context.undo(() => this.#known.set(name, queue));
  }

  /** Gives the queue another name; its dead-letter queue stays, and what names it follows. */
  rename(queue: StoredQueue, to: string): void {
    this.touch(queue);
    const { row } = queue;
    const { name } = row;
    const dead_letter = deadLetterOf(name, row);
    for (const { row: other } of this.#known.values()) {
      if (deadLetterOf(other.name, other) !== name) continue;
      const before = other.dead_letter;
      other.dead_letter = to;
      this.#context.undo(() => {
        other.dead_letter = before;
      });
    }
    Object.assign(row, { name: to, dead_letter });
    this.#tables.rename(row, name);
    this.#known.delete(name);
    this.#known.set(to, queue);
    this.#announcer.changed(to);
    this.#context.undo(() => {
      this.#known.delete(to);
      this.#known.set(name, queue);
    });
  }

  /** To be called before a queue is changed: its row will be written, and the change announced. */
  touch(queue: StoredQueue): void {
    this.#announcer.changed(queue.row.name);
    if (this.#unwritten.has(queue)) return;
    const before = { ...queue.row };
    this.#unwritten.add(queue);
    this.#context.undo(() => Object.assign(queue.row, before));
  }

  /** Writes the rows that have changed. `written` follows when that is committed, `forget` when it is not. */
  write(): void {
    for (const queue of this.#unwritten) this.#tables.queue.update(queue.row);
  }

  written(): void {
    this.#unwritten.clear();
    this.letGo();
  }

  /** The rows are again as they were, and nothing is announced. */
  forget(): void {
    this.#unwritten.clear();
    this.#announcer.forget();
  }

  /** Lets queues go that are not in use, of which all is in the file. */
  letGo(): void {
    if (this.#known.size < this.#most) return;
    for (const [name, queue] of this.#known)
      if (queue.isIdle && !this.#unwritten.has(queue)) this.#known.delete(name);
    this.#most = Math.max(MANY, this.#known.size * 2);
  }
}
