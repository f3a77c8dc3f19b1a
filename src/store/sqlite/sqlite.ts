import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { MqError } from '../../errors.ts';
import { type Packed, pieces, splitAt } from '../../packed.ts';
import { DEFAULT_SETTINGS, type Settings } from '../../settings.ts';
import { checkPriority, differences, noQueue, notEmpty } from '../rules.ts';
import {
  type OnChange,
  type Outcome,
  type PutOptions,
  type PutResult,
  type QueueState,
  type Range,
  type Run,
  rangeOf,
  type Store,
  type TakeLimit,
  type TakeResult,
} from '../store.ts';
import { Bodies } from './bodies.ts';
import { openDatabase, toMqError } from './database.ts';
import { GroupCommit } from './group-commit.ts';
import { StoredQueue } from './queue.ts';
import { Tables } from './tables.ts';

/** Batches are cut at this many bytes: large enough for speed, small enough to be loaded for one message. */
const BATCH_BYTES = 64 * 1024;

/** For how long the position of a client is kept that a dead daemon served: it may still come back. */
const KEEP_CLIENTS = 7 * 86400e3;

const CLOSED_NOW = 2;

/**
 * Queues in an SQLite file. What is known of the queues in use is kept in memory too, so taking a
 * message reads one batch, and holding it writes nothing.
 */
export class SqliteStore implements Store {
  readonly #path: string;
  readonly #db: DatabaseSync;
  readonly #inode: number;
  readonly #tables: Tables;
  readonly #group: GroupCommit;
  readonly #bodies = new Bodies();
  readonly #onChange: OnChange;
  readonly #queues = new Map<string, StoredQueue>();
  readonly #changed = new Set<string>();
  readonly #unwritten = new Set<StoredQueue>();
  readonly #forgotten = new Set<string>();
  #nextId: number;
  #writtenNextId: number;
  /** Once the file is known to be damaged, it is left alone. */
  #damage: MqError | undefined;

  /** @throws MqError INUSE, DAMAGED, DISKFULL, IOERROR */
  constructor(path: string, onChange: OnChange) {
    this.#path = path;
    this.#onChange = onChange;
    try {
      this.#db = openDatabase(path);
      this.#inode = statSync(path).ino;
      this.#tables = new Tables(this.#db);
      this.#nextId = this.#writtenNextId = this.#tables.nextId();
      this.#group = new GroupCommit(this.#db, {
        beforeCommit: () => this.#beforeCommit(),
        afterCommit: () => this.#afterCommit(),
        afterRollback: () => this.#afterRollback(),
        isRefusal: (error) => error instanceof MqError,
      });
      this.#tidy();
    } catch (error) {
      throw toMqError(error, path);
    }
  }

  put(name: string, messages: Packed, options: PutOptions): Promise<PutResult> {
    return this.#write(() => {
      const { client, priority } = options;
      const known = client === undefined ? 0 : this.#tables.stored(client.id) - client.index;
      if (known >= messages.count) return { stored: messages.count };
      const queue = this.#find(name);
      const room = queue?.room ?? Infinity;
      checkPriority(name, queue?.row ?? DEFAULT_SETTINGS, priority);
      if (queue?.closed) return { stored: Math.max(0, known), lacking: 'CLOSED' };
      if (known < 0 && room === 0) return { stored: 0, lacking: 'FULL' };
      if (known < 0) throw new MqError('GAP', 'messages before these are lacking');
      const stored = Math.min(messages.count, known + room);
      const [fitting] = splitAt(messages, stored);
      const [, fresh] = known === 0 ? [undefined, fitting] : splitAt(fitting, known);
      this.#append(queue ?? this.#make(name, {}), fresh, priority, Date.now());
      if (client) this.#tables.setStored(client.id, client.index + stored, Date.now());
      return stored < messages.count ? { stored, lacking: 'FULL' } : { stored };
    });
  }

  take(name: string, limit: TakeLimit): Promise<TakeResult> {
    return this.#read(() => {
      const queue = this.#find(name);
      if (queue === undefined) return { runs: [], drained: false };
      const runs = queue.runs(limit);
      for (const run of runs) {
        const held = queue.hold([rangeOf(run)]);
        this.#group.undo(() => queue.release(held));
      }
      if (runs.length > 0) this.#changed.add(name);
      return { runs, drained: queue.closed && queue.waiting === 0 };
    });
  }

  takeThese(name: string, ids: readonly Range[]): Promise<Range[]> {
    return this.#read(() => {
      const queue = this.#find(name);
      const held = queue?.hold(ids) ?? [];
      if (held.length > 0) this.#group.undo(() => queue?.release(held));
      return held;
    });
  }

  settle(name: string, ids: readonly Range[], outcome: Outcome): Promise<void> {
    return outcome === 'done'
      ? this.#write(() => this.#finish(this.#find(name), ids, 'got'))
      : this.#release(name, ids);
  }

  peek(name: string, limit: TakeLimit): Promise<Run[]> {
    return this.#read(() => this.#get(name).runs(limit));
  }

  move(from: string, to: string, count = Infinity): Promise<number> {
    return this.#write(() => {
      const source = this.#get(from);
      const target = this.#find(to);
      const size = Math.min(count, source.waiting);
      if (target?.closed) throw new MqError('CLOSED', `queue ${to} is closed`);
      if (target && target !== source && target.room < size) {
        throw new MqError('FULL', `queue ${to} has no room for ${size} messages`);
      }
      if (size === 0) return 0;
      const destination = target ?? this.#make(to, {});
      // A queue that is moved to itself is read first: what was moved must not be moved again.
      const bytes = destination === source ? Infinity : BATCH_BYTES;
      for (let left = size; left > 0; ) {
        for (const run of source.runs({ count: left, bytes })) {
          const priority = destination.row.kind === 'priority' ? run.priority : 0;
          this.#append(destination, run.messages, priority, run.putAt);
          this.#finish(source, [rangeOf(run)], 'moved');
          left -= run.messages.count;
        }
      }
      return size;
    });
  }

  purge(name: string): Promise<number> {
    return this.#write(() => this.#purge(this.#get(name)));
  }

  remove(name: string, force: boolean): Promise<void> {
    return this.#write(() => {
      const queue = this.#get(name);
      if (queue.row.size > 0 && !force) throw notEmpty(name, queue.row.size);
      this.#tables.deleteQueue(queue.row.id);
      this.#queues.delete(name);
      this.#unwritten.delete(queue);
      this.#group.undo(() => {
        this.#queues.set(name, queue);
        // So that its row is read again.
        this.#unwritten.add(queue);
      });
      this.#changed.add(name);
    });
  }

  create(name: string, settings: Partial<Settings>): Promise<void> {
    return this.#write(() => {
      const queue = this.#find(name);
      if (queue === undefined) this.#make(name, settings);
      else differences(name, queue.row, settings);
    });
  }

  configure(name: string, settings: Partial<Settings>): Promise<void> {
    return this.#write(() => {
      const queue = this.#get(name);
      const { size, kind } = queue.row;
      if (settings.kind && settings.kind !== kind && size > 0) throw notEmpty(name, size);
      Object.assign(queue.row, settings);
      queue.rewind();
      this.#touch(queue);
    });
  }

  close(name: string, now: boolean): Promise<void> {
    return this.#write(() => {
      const queue = this.#get(name);
      queue.row.closed = now ? CLOSED_NOW : queue.row.closed || 1;
      if (now) this.#purge(queue);
      this.#touch(queue);
    });
  }

  open(name: string): Promise<void> {
    return this.#write(() => {
      const queue = this.#get(name);
      queue.row.closed = 0;
      this.#touch(queue);
    });
  }

  stat(name: string): Promise<QueueState | undefined> {
    return this.#read(() => this.#find(name)?.state());
  }

  count(): Promise<number> {
    return this.#read(() => this.#tables.countQueues());
  }

  list(): Promise<QueueState[]> {
    return this.#read(() => this.#tables.queueNames().map((name) => this.#get(name).state()));
  }

  forget(client: string): void {
    this.#forgotten.add(client);
  }

  async end(): Promise<void> {
    this.#group.flush();
    // What is known to be damaged is not touched again; closing would write the log into it.
    if (this.#damage !== undefined) return;
    if (this.#forgotten.size > 0) {
      void this.#write(() => undefined);
      this.#group.flush();
    }
    this.#db.close();
  }

  /** What an earlier daemon left; on a full disk it is left to a later one. */
  #tidy(): void {
    try {
      this.#tables.emptyClosedNow();
      this.#tables.forgetBefore(Date.now() - KEEP_CLIENTS);
    } catch (error) {
      if (toMqError(error, this.#path).code !== 'DISKFULL') throw error;
    }
  }

  #get(name: string): StoredQueue {
    const queue = this.#find(name);
    if (queue === undefined) throw noQueue(name);
    return queue;
  }

  #find(name: string): StoredQueue | undefined {
    const known = this.#queues.get(name);
    if (known !== undefined) return known;
    const row = this.#tables.queue(name);
    if (row === undefined) return undefined;
    const queue = new StoredQueue(row, this.#tables, this.#bodies);
    this.#queues.set(name, queue);
    return queue;
  }

  #make(name: string, settings: Partial<Settings>): StoredQueue {
    const { kind, maxsize } = { ...DEFAULT_SETTINGS, ...settings };
    this.#tables.insertQueue(name, kind, maxsize);
    this.#group.undo(() => this.#queues.delete(name));
    return this.#get(name);
  }

  #append(queue: StoredQueue, messages: Packed, priority: number, putAt: number): void {
    if (messages.count === 0) return;
    for (const piece of pieces(messages, BATCH_BYTES)) {
      const first = this.#nextId;
      this.#tables.insertBatch({ first, count: piece.count, priority, put_at: putAt }, queue.row.id, piece);
      this.#bodies.set(first, piece);
      this.#group.undo(() => this.#bodies.delete(first));
      this.#nextId += piece.count;
      queue.noticePlace({ priority, first });
    }
    queue.row.size += messages.count;
    queue.row.put += messages.count;
    this.#touch(queue);
  }

  /** Makes held messages go for good; `moved`: waiting ones, that are in another batch now. */
  #finish(queue: StoredQueue | undefined, ids: readonly Range[], why: 'got' | 'moved' | 'dropped'): void {
    if (queue === undefined) return;
    const count = queue.finish(ids, why === 'moved' ? 'waiting' : 'held', (undo) => this.#group.undo(undo));
    if (why === 'got') queue.row.got += count;
    this.#touch(queue);
  }

  #release(name: string, ids: readonly Range[]): Promise<void> {
    const isClosedNow = () => this.#queues.get(name)?.row.closed === CLOSED_NOW;
    // Steps that were asked for before this one may close the queue or open it: it is asked again then.
    const run = () => {
      const queue = this.#queues.get(name);
      if (isClosedNow()) this.#finish(queue, ids, 'dropped');
      else queue?.release(ids);
      this.#changed.add(name);
    };
    return isClosedNow() ? this.#write(run) : this.#read(run);
  }

  #purge(queue: StoredQueue): number {
    const dropped = queue.dropWaiting((undo) => this.#group.undo(undo));
    this.#touch(queue);
    return dropped;
  }

  #touch(queue: StoredQueue): void {
    this.#unwritten.add(queue);
    this.#changed.add(queue.row.name);
  }

  async #read<T>(run: () => T): Promise<T> {
    return this.#checked(async () => {
      const result = await this.#group.read(run);
      this.#announce();
      return result;
    });
  }

  #write<T>(run: () => T): Promise<T> {
    return this.#checked(() => this.#group.write(run));
  }

  async #checked<T>(step: () => Promise<T>): Promise<T> {
    if (this.#damage !== undefined) throw this.#damage;
    try {
      return await step();
    } catch (error) {
      const known = toMqError(error, this.#path);
      if (known.code === 'DAMAGED') this.#damage = known;
      throw known;
    }
  }

  #beforeCommit(): void {
    this.#checkFile();
    for (const queue of this.#unwritten) this.#tables.updateQueue(queue.row);
    for (const client of this.#forgotten) this.#tables.forget(client);
    if (this.#nextId !== this.#writtenNextId) this.#tables.setNextId(this.#nextId);
  }

  /** What is written to a file that nobody can open again is not safe. */
  #checkFile(): void {
    if (statSync(this.#path, { throwIfNoEntry: false })?.ino === this.#inode) return;
    throw new MqError('STOREGONE', `the store was removed while it was in use: ${this.#path}`);
  }

  #afterCommit(): void {
    this.#writtenNextId = this.#nextId;
    this.#unwritten.clear();
    this.#forgotten.clear();
    this.#announce();
  }

  #afterRollback(): void {
    for (const queue of this.#unwritten) {
      const row = this.#tables.queue(queue.row.name);
      if (row !== undefined) Object.assign(queue.row, row);
    }
    this.#unwritten.clear();
    this.#changed.clear();
  }

  #announce(): void {
    const changed = [...this.#changed];
    this.#changed.clear();
    for (const name of changed) this.#onChange(name);
  }
}
