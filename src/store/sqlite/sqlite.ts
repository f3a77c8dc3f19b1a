import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { MqError } from '../../errors.ts';
import type { Once } from '../../once.ts';
import { othersTurn } from '../../others-turn.ts';
import { join, type Packed, pieces, sizeOf, splitAt } from '../../packed.ts';
import type { Range } from '../../range.ts';
import { Reserve } from '../../reserve.ts';
import { DEFAULT_SETTINGS, type Settings } from '../../settings.ts';
import type { QueueState } from '../queue-state.ts';
import {
  checkPriority,
  checkSettings,
  deadLetterOf,
  differences,
  isGivenUp,
  noLease,
  notEmpty,
  retryDelay,
} from '../rules.ts';
import { type Run, rangeOf, tokensOf } from '../run.ts';
import type {
  Clock,
  Events,
  Outcome,
  PutOptions,
  PutResult,
  Store,
  TakeLimit,
  TakeResult,
} from '../store.ts';
import { DELAYED, HELD, LEASED, WAITING } from './batch.ts';
import { BodyCache } from './body-cache.ts';
import { Chunks, LARGE } from './chunks.ts';
import { openDatabase, rewrite, toMqError } from './database.ts';
import { GroupCommit } from './group-commit.ts';
import { type Move, moveSome } from './move.ts';
import { Room } from './room.ts';
import { CLOSED_NOW, isDamaged, queueStateOf, rangesOf, type StoredQueue } from './stored-queue.ts';
import { StoredQueues } from './stored-queues.ts';
import { type Sync, Syncer, syncFile } from './syncer.ts';
import type { BatchRow, Label, MessageRow, OrderKey, Stored } from './tables/table-rows.ts';
import { Tables } from './tables/tables.ts';
import { aTurn } from './turn.ts';
import { Vacuum } from './vacuum.ts';

/**
 * Bytes at which batches are cut: small enough to be loaded for one message, and large enough that the messages which
 * mq put reads at a time are one batch.
 */
const BATCH_BYTES = 96 * 1024;

/** Milliseconds for which the position of a client of a dead daemon is kept: it may still come back. */
const KEEP_CLIENTS = 7 * 86400e3;

/** Milliseconds after which the time in the file is renewed. */
const CLOCK_EVERY = 1000;

/** Ids set aside at a time, so that most puts do not write the next one. */
const RESERVE = 10_000;

/** The most messages, and batches, that are looked at in one turn because they are due. */
const MOST_DUE = 2000;

/** Leases from which on a step is done in parts. */
const MANY_LEASES = 500;

/** The least leases that are settled in a turn. */
const SOME_LEASES = 50;

/** Bytes of a part of a move, about the most. */
const MOVED = 1024 * 1024;

const NONE: TakeLimit = { count: 0, bytes: 0 };
const ONE: TakeLimit = { count: 1, bytes: 1 };

/** The progress of a step that is done in parts. */
interface StepProgress {
  answer: number;
  /** The next part, by the step's own count; undefined: it has happened. */
  position: number | undefined;
  /** The place to go on from, which can be found again. */
  from?: OrderKey | undefined;
}

/** The particulars of a batch that is put. */
type NewBatch = Omit<BatchRow, 'first' | 'count' | 'chunk' | 'size'>;

const DONE: StepProgress = { answer: 0, position: undefined };

/**
 * Queues in an SQLite file. The state of queues in use is kept in memory too, so that taking a message reads one batch,
 * and holding it writes nothing.
 */
export class SqliteStore implements Store {
  readonly #path: string;
  readonly #db: DatabaseSync;
  readonly #inode: number;
  readonly #tables: Tables;
  readonly #group: GroupCommit;
  readonly #syncer: Syncer;
  readonly #room: Room;
  readonly #vacuum: Vacuum;
  readonly #chunks: Chunks;
  readonly #events: Events;
  readonly #clock: Clock;
  readonly #queues: StoredQueues;
  readonly #changed = new Set<string>();
  readonly #forgotten = new Set<string>();
  /** Milliseconds by which the store's clock is ahead of this process's, because that was set back. */
  readonly #ahead: number;
  /** The store's clock as the file has it. */
  #saidTime: number;
  /** `Tables.changes` as of the last commit. */
  #committed = 0;
  #nextId: number;
  /** The first id that was never used, as the file has it. */
  #reserved: number;
  /** The time when something is due, and the one that was last told. */
  #due = Infinity;
  #saidDue = -Infinity;
  readonly #opening: NodeJS.Immediate;
  /** The time up to which expired messages have been dropped, and the batch up to which those of that time have. */
  #swept = { time: -Infinity, first: 0 };
  #ended = false;
  /** Whether the file is known to be damaged, and is left alone; altered messages alone do not count. */
  #damage: MqError | undefined;

  /** @throws MqError INUSE, DAMAGED, DISKFULL, IOERROR, NOTALLOWED */
  constructor(
    path: string,
    events: Events,
    clock: Clock,
    sync: Sync = syncFile,
    reserve = new Reserve(`${path}-reserve`),
  ) {
    this.#path = path;
    this.#events = events;
    this.#clock = clock;
    try {
      this.#db = openDatabase(path, reserve);
      this.#room = new Room(this.#db, path, reserve, () => this.#vacuum.now());
      this.#vacuum = new Vacuum(this.#db, this.#room, (error) => this.#noteDamage(error));
      this.#inode = statSync(path).ino;
      this.#syncer = new Syncer(`${path}-wal`, async (fd) => {
        await sync(fd);
        this.#checkFile();
      });
      this.#tables = new Tables(this.#db);
      this.#nextId = this.#reserved = this.#tables.store.nextId();
      this.#saidTime = this.#tables.store.clock();
      this.#ahead = Math.max(0, this.#saidTime - clock());
      this.#chunks = new Chunks(this.#tables, {
        read: (run) => this.#read(run),
        write: (run, isPut) => this.#write(run, isPut),
      });
      this.#queues = new StoredQueues({
        tables: this.#tables,
        bodies: new BodyCache(),
        chunks: this.#chunks,
        undo: (undo) => this.#group.undo(undo),
      });
      this.#group = new GroupCommit(this.#db, {
        beforeCommit: () => this.#beforeCommit(),
        afterCommit: () => this.#afterCommit(),
        afterRollback: () => this.#afterRollback(),
        changes: () => this.#tables.sql.changes,
        bytes: () => this.#tables.sql.bytes,
        mayTryAgain: (error, isPut, tries) => this.#hasMoreRoom(error, isPut, tries),
      });
      this.#tidy();
      this.#saidDue = Infinity;
      this.#opening = setImmediate(() => {
        this.#announce();
        void this.#deleteRemoved();
      });
    } catch (error) {
      throw toMqError(error, path);
    }
  }

  async put(name: string, messages: Packed, options: PutOptions): Promise<PutResult> {
    const chunks = new Map<number, Stored>();
    const put = (bytes: number) =>
      this.#checked(() => {
        // Outside the transaction, because the log may have to be cut.
        const noRoom = this.#room.refusal(bytes);
        return this.#group.write(() => this.#put(name, messages, options, noRoom, chunks), true);
      });
    try {
      let result = await put(messages.bytes.length);
      while ('lackingChunks' in result) {
        // Large messages are stored before, so that others have their turn.
        for (const piece of result.lackingChunks)
          chunks.set(piece.bytes.byteOffset, await this.#chunks.store(piece));
        result = await put(0);
      }
      return result;
    } finally {
      if (chunks.size > 0) this.#chunks.release(chunks.values());
    }
  }

  #put(
    name: string,
    messages: Packed,
    options: PutOptions,
    noRoom: MqError | undefined,
    chunks: ReadonlyMap<number, Stored>,
  ): PutResult | { lackingChunks: Packed[] } {
    const { client, priority, key, done, once } = options;
    const answer = once && this.#tables.client.answer(once);
    if (answer !== undefined) return { stored: answer.answer };
    const known = client === undefined ? 0 : this.#tables.client.stored(client.id) - client.index;
    if (known >= messages.count) return { stored: messages.count };
    const queue = this.#queues.find(name);
    const input = done && this.#queues.get(done.queue);
    const leased = input?.leased(done?.lease as string);
    checkPriority(name, queue?.row ?? DEFAULT_SETTINGS, priority);
    const record = (stored: number) => {
      if (client) this.#tables.client.setStored(client.id, client.index + stored, Date.now());
      if (once) this.#tables.client.setAnswer(once, { answer: stored, position: undefined }, Date.now());
    };
    const finish = () => {
      if (input && leased) this.#done(input, [leased]);
    };
    if (known === 0 && this.#isTaken(queue, key, leased)) {
      finish();
      record(1);
      return { stored: 1 };
    }
    if (queue?.closed) return { stored: Math.max(0, known), lacking: 'CLOSED' };
    const room = queue?.room ?? Infinity;
    if (room === 0 && (known < 0 || done)) return { stored: 0, lacking: 'FULL' };
    if (known < 0) throw new MqError('GAP', 'messages before these are lacking');
    const stored = done ? messages.count : Math.min(messages.count, known + room);
    const [fitting] = splitAt(messages, stored);
    const [, fresh] = known === 0 ? [undefined, fitting] : splitAt(fitting, known);
    if (noRoom) throw noRoom;
    const lackingChunks = largeIn(fresh).filter(({ bytes }) => !chunks.has(bytes.byteOffset));
    if (lackingChunks.length > 0) return { lackingChunks };
    finish();
    const target = queue ?? this.#queues.make(name);
    this.#append(target, fresh, this.#batchOf(options), labelOf(target, key), chunks);
    record(stored);
    return stored < messages.count ? { stored, lacking: 'FULL' } : { stored };
  }

  take(name: string, limit: TakeLimit): Promise<TakeResult> {
    return this.#read(() => this.#take(name, limit, (queue) => queue.hold(limit, this.now(), aTurn())));
  }

  lease(
    name: string,
    limit: TakeLimit,
    duration: number,
    beforeCommit?: (tokens: readonly string[]) => void,
  ): Promise<TakeResult> {
    return this.#checked(() => {
      // If nothing waits, as most often when somebody is about to wait, nothing is written.
      if (this.#group.isIdle && this.#next(name).length === 0) return this.take(name, NONE);
      return this.#group.write(() => {
        const now = this.now();
        this.#dueAt(now + duration);
        const taken = this.#take(name, limit, (queue) => {
          this.#touch(queue);
          return queue.lease(limit, now, now + duration, aTurn());
        });
        if (taken.runs.length > 0) beforeCommit?.(tokensOf(taken.runs));
        return taken;
      });
    });
  }

  takeIds(name: string, ids: readonly Range[]): Promise<Range[]> {
    return this.#read(() => this.#queues.find(name)?.holdThese(ids) ?? []);
  }

  async settle(name: string, ids: readonly Range[], outcome: Outcome): Promise<void> {
    if (outcome === 'returned') return this.#release(name, ids);
    for (let rest = ids; rest.length > 0; ) {
      rest = await this.#write(() => {
        const queue = this.#queues.find(name);
        if (queue === undefined) return [];
        this.#touch(queue);
        const done = queue.finish(rest, [HELD], aTurn());
        queue.row.got += done.count;
        queue.row.done += done.count;
        return done.rest;
      });
    }
  }

  settleLeases(
    name: string,
    leases: readonly string[],
    outcome: Outcome | 'failed',
    delay?: number,
    once?: Once,
  ): Promise<number> {
    return this.#withLeases(name, leases, once, (queue, messages) => {
      const { dead } = queue.row;
      if (outcome === 'done') this.#done(queue, messages);
      else if (outcome === 'returned') this.#comeBack(queue, messages, LEASED);
      else for (const message of messages) this.#fail(queue, message, delay);
      return queue.row.dead - dead;
    });
  }

  async returnLeases(name: string, leases: readonly string[]): Promise<void> {
    const giveBack = (some: readonly string[]) => {
      const queue = this.#queues.find(name);
      if (queue) this.#comeBack(queue, leasedOf(queue, some), LEASED);
    };
    for (let at = 0; at < leases.length; at += MANY_LEASES)
      await this.#write(() => giveBack(leases.slice(at, at + MANY_LEASES)));
  }

  async extend(name: string, leases: readonly string[], duration: number): Promise<void> {
    const until = this.now() + duration;
    await this.#withLeases(name, leases, undefined, (queue, messages) => {
      for (const message of messages) queue.extend(message, until);
      this.#dueAt(until);
      return 0;
    });
  }

  runDue(): Promise<void> {
    return this.#write(() => {
      const now = this.now();
      const isOver = aTurn();
      for (const message of this.#tables.message.due(now, MOST_DUE)) {
        if (isOver()) break;
        const queue = this.#queues.withId(message.queue);
        if (queue === undefined) this.#tables.message.delete({ first: message.id, last: message.id });
        else if (message.lease === null) this.#comeBack(queue, [message], DELAYED);
        else this.#runOut(queue, message);
      }
      for (const row of this.#tables.batch.due(now, MOST_DUE)) {
        if (isOver()) break;
        const queue = this.#queues.withId(row.queue);
        if (queue === undefined) {
          this.#tables.batch.delete(row.first);
          continue;
        }
        this.#touch(queue);
        queue.due(row);
      }
      const before = this.#swept;
      this.#group.undo(() => {
        this.#swept = before;
      });
      this.#sweep(now, isOver);
      this.#saidDue = Infinity;
      this.#due = this.#tables.nextTime(this.#swept);
    });
  }

  async peek(name: string, limit: TakeLimit): Promise<Run[]> {
    const all: Run[] = [];
    const left = { ...limit };
    let from: OrderKey | undefined;
    for (;;) {
      const { runs, next } = await this.#read(() =>
        this.#queues.get(name).peek(left, this.now(), aTurn(), from),
      );
      for (const run of runs) {
        all.push(run);
        left.count -= run.messages.count;
        left.bytes -= sizeOf(run.messages);
      }
      if (next === undefined) return all;
      from = next;
      await othersTurn();
    }
  }

  async move(from: string, to: string, count = Infinity, once?: Once): Promise<number> {
    let moved = 0;
    let most = count;
    const begin = () => {
      const source = this.#queues.get(from);
      const target = this.#queues.find(to);
      most = Math.min(count, source.waiting);
      if (target?.closed) throw closed(to);
      if (target && target !== source && target.room < most) {
        throw new MqError('FULL', `queue ${to} has no room for ${most} messages`);
      }
      return most === 0 ? DONE : { answer: 0, position: this.#nextId };
    };
    const part = (progress: StepProgress) => {
      moved = progress.answer;
      return this.#move(from, to, most, progress);
    };
    try {
      return await this.#inParts(once, begin, part, MOVED);
    } catch (error) {
      if (moved === 0 || !(error instanceof MqError)) throw error;
      const { cause, advice } = error;
      throw new MqError(error.code, error.message, { cause, advice, stored: moved });
    }
  }

  purge(name: string, once?: Once): Promise<number> {
    const begin = () => {
      this.#queues.get(name);
      return { answer: 0, position: this.#nextId };
    };
    return this.#inParts(once, begin, (progress) => this.#purge(name, progress));
  }

  async remove(name: string, force: boolean, once?: Once): Promise<void> {
    await this.#once(once, () => {
      const queue = this.#queues.get(name);
      if (queue.row.size > 0 && !force) throw notEmpty(name, queue.row.size);
      this.#queues.remove(queue, aTurn());
      this.#changed.add(name);
      return 0;
    });
    void this.#deleteRemoved();
  }

  create(name: string, settings: Partial<Settings>): Promise<void> {
    const step = () => {
      checkSettings(name, settings);
      const queue = this.#queues.find(name);
      if (queue === undefined) this.#queues.make(name, settings);
      else differences(name, queue.row, settings);
    };
    return this.#write(step, true);
  }

  configure(name: string, settings: Partial<Settings>): Promise<void> {
    return this.#write(() => {
      checkSettings(name, settings);
      const queue = this.#queues.get(name);
      const { size, kind } = queue.row;
      if (settings.kind && settings.kind !== kind && size > 0) throw notEmpty(name, size);
      this.#touch(queue);
      Object.assign(queue.row, settings);
      this.#tables.queue.updateSettings(queue.row);
      queue.rewind();
    });
  }

  async close(name: string, now: boolean): Promise<void> {
    const begin = () => {
      const queue = this.#queues.get(name);
      this.#touch(queue);
      queue.row.closed = now ? CLOSED_NOW : queue.row.closed || 1;
      return { answer: 0, position: this.#nextId };
    };
    await this.#inParts(undefined, begin, (progress) => (now ? this.#purge(name, progress) : DONE));
  }

  open(name: string): Promise<void> {
    return this.#write(() => {
      const queue = this.#queues.get(name);
      this.#touch(queue);
      queue.row.closed = 0;
    });
  }

  stat(name: string): Promise<QueueState | undefined> {
    return this.#read(() => this.#queues.find(name)?.state());
  }

  count(): Promise<number> {
    return this.#read(() => this.#tables.queue.count());
  }

  names(after = '', count: number): Promise<string[]> {
    return this.#read(() => this.#tables.queue.names(after, count));
  }

  list(after = '', count = Infinity): Promise<QueueState[]> {
    return this.#read(() =>
      this.#tables.queue.after(after, count).map(
        (row) =>
          // Of queues that are not in use all is in the file, and nothing is held.
          this.#queues.inUse(row.name)?.state() ?? queueStateOf(row, 0, row.oldest_at ?? undefined),
      ),
    );
  }

  async rest(): Promise<void> {
    await this.#deleteRemoved();
    await this.#checked(async () => rewrite(this.#db));
  }

  now(): number {
    return this.#clock() + this.#ahead;
  }

  synced(): Promise<void> {
    return this.#checked(() => this.#syncer.synced());
  }

  stored(client: string): Promise<number> {
    return this.#read(() => this.#tables.client.stored(client));
  }

  forget(client: string): void {
    this.#forgotten.add(client);
  }

  async end(): Promise<void> {
    clearImmediate(this.#opening);
    this.#ended = true;
    this.#chunks.end();
    this.#group.flush();
    this.#vacuum.close();
    // A damaged file is not touched again; closing would write the log into it.
    if (this.#damage !== undefined) return;
    const lastWords = this.#write(() => {
      this.#tables.store.setNextId(this.#nextId);
      this.#tables.store.setClock(this.now());
    });
    this.#group.flush();
    // On a full disk there is no room for them, which matters little.
    await lastWords.catch(() => {});
    if (this.#damage !== undefined) return;
    await this.synced();
    this.#db.close();
    this.#syncer.close();
  }

  /** Clears what an earlier daemon left; on a full disk that is left to a later one. */
  #tidy(): void {
    try {
      this.#group.atOnce(() => {
        this.#tables.client.forgetBefore(Date.now() - KEEP_CLIENTS);
        this.#tables.batch.forgetOrigins();
        // Held messages have come back.
        for (const name of this.#tables.queue.toEmpty()) {
          let progress: StepProgress = { answer: 0, position: this.#nextId };
          while (progress.position !== undefined) progress = this.#purge(name, progress);
        }
        this.#dueAt(this.#tables.nextTime(this.#swept));
        // Nobody waits yet.
        this.#changed.clear();
      });
    } catch (error) {
      if (toMqError(error, this.#path).code !== 'DISKFULL') throw error;
      this.#dueAt(this.now());
    }
  }

  #take(
    name: string,
    limit: TakeLimit,
    take: (queue: StoredQueue) => { runs: Run[]; isPart: boolean },
  ): TakeResult {
    const queue = this.#queues.find(name);
    if (queue === undefined) return { runs: [], isPart: false, drained: false, finished: true };
    if (limit.count > 0 && queue.waiting > 0) this.#room.checkTake();
    const taken = take(queue);
    if (taken.runs.length > 0) this.#changed.add(name);
    return { ...taken, drained: queue.closed && queue.pending === 0, finished: queue.row.size === 0 };
  }

  #next(name: string): Run[] {
    return this.#queues.find(name)?.peek(ONE, this.now()).runs ?? [];
  }

  /** @param chunks places of the large messages, by their offsets in the bytes */
  #append(
    queue: StoredQueue,
    messages: Packed,
    batch: NewBatch,
    label: Label | undefined,
    chunks: ReadonlyMap<number, Stored>,
  ): void {
    for (const piece of pieces(messages, BATCH_BYTES)) {
      const stored = chunks.get(piece.bytes.byteOffset);
      if (stored) this.#tables.chunk.deleteUnused(stored.chunk);
      this.#appendBatch(queue, stored ?? piece, batch, label);
    }
  }

  #appendBatch(queue: StoredQueue, contents: Packed | Stored, batch: NewBatch, label?: Label): void {
    this.#touch(queue);
    const isStored = 'chunk' in contents;
    const { chunk, size } = isStored ? contents : { chunk: null, size: null };
    const count = isStored ? 1 : contents.count;
    const row = { ...batch, first: this.#nextId, count, chunk, size };
    queue.append(row, isStored ? undefined : contents, label);
    this.#nextId += count;
    this.#dueAt(Math.min(batch.due_at ?? Infinity, batch.expires_at ?? Infinity));
  }

  #batchOf({ priority, delay, ttl }: PutOptions): NewBatch {
    const now = this.now();
    return {
      priority,
      put_at: Date.now(),
      due_at: delay ? now + delay : null,
      expires_at: ttl === undefined ? null : now + ttl,
    };
  }

  /** Whether a message other than the one on this lease has the key. */
  #isTaken(queue: StoredQueue | undefined, key: string | undefined, leased: MessageRow | undefined): boolean {
    if (queue === undefined || key === undefined) return false;
    const holder = this.#tables.batch.keyHolder(queue.row.id, key);
    return holder !== undefined && holder !== leased?.id;
  }

  /** Appends messages that come from another queue. */
  #transfer(
    to: StoredQueue,
    messages: Packed | Stored,
    { priority, putAt, expires_at }: { priority: number; putAt: number; expires_at: number | null },
    label?: Label,
  ): void {
    this.#touch(to);
    // A dead letter is not dropped when it comes back.
    if (to.row.closed === CLOSED_NOW) to.row.closed = 1;
    const batch = {
      priority: to.row.kind === 'priority' ? priority : 0,
      put_at: putAt,
      due_at: null,
      expires_at,
    };
    if ('chunk' in messages) {
      this.#tables.chunk.deleteUnused(messages.chunk);
      this.#appendBatch(to, messages, batch, label);
    } else for (const piece of pieces(messages, BATCH_BYTES)) this.#appendBatch(to, piece, batch, label);
  }

  #done(queue: StoredQueue, messages: readonly MessageRow[]): void {
    this.#touch(queue);
    queue.row.done += queue.finish(rangesOf(messages), [LEASED]).count;
  }

  /** Messages that were on lease, or delayed, come back. */
  #comeBack(queue: StoredQueue, messages: readonly MessageRow[], from: typeof LEASED | typeof DELAYED): void {
    this.#touch(queue);
    queue.comeBack(messages, from);
    this.#drop(queue, rangesOf(messages));
  }

  #runOut(queue: StoredQueue, message: MessageRow): void {
    try {
      this.#fail(queue, message, 0);
    } catch (error) {
      if (!isDamaged(error)) throw error;
      // The message cannot be given up on, and is in nobody else's way.
      this.#comeBack(queue, [message], LEASED);
    }
  }

  /** @throws MqError DAMAGED when it cannot be given up on; then nothing has happened */
  #fail(queue: StoredQueue, message: MessageRow, delay?: number): void {
    const { row } = queue;
    const failures = message.failures + 1;
    const ids = [{ first: message.id, last: message.id }];
    const dead = row.closed !== CLOSED_NOW && isGivenUp(row, failures) && queue.message(message.id);
    this.#touch(queue);
    row.failed += 1;
    if (dead) {
      row.dead += 1;
      const { row: batch, messages } = dead;
      const label = this.#tables.batch.label(batch);
      queue.finish(ids, [LEASED]);
      const name = deadLetterOf(row.name, row);
      const { priority, put_at: putAt } = batch;
      const target = this.#queues.find(name) ?? this.#queues.make(name);
      this.#transfer(
        target,
        messages ?? storedOf(batch),
        { priority, putAt, expires_at: null },
        {
          key: label?.key ?? null,
          key_queue: label?.key_queue ?? null,
          origin_queue: this.#tables.batch.originQueue(row.name),
          origin_id: message.id,
        },
      );
      return;
    }
    const wait = delay ?? retryDelay(row, failures);
    const until = wait > 0 ? this.now() + wait : null;
    queue.fail(message, until);
    this.#dueAt(until ?? Infinity);
    this.#drop(queue, ids);
  }

  /** Drops those of the messages that are back and must not be. */
  #drop(queue: StoredQueue, ids: readonly Range[]): void {
    this.#touch(queue);
    if (queue.row.closed === CLOSED_NOW) queue.finish(ids, [WAITING, DELAYED]);
    else queue.expire(ids, this.now());
  }

  async #release(name: string, ids: readonly Range[]): Promise<void> {
    for (let rest = ids; rest.length > 0; ) {
      const some = rest.slice(0, MANY_LEASES);
      const left = await this.#releaseSome(name, some);
      rest = [...left, ...rest.slice(some.length)];
      if (rest.length > 0) await othersTurn();
    }
  }

  /** @returns the leases that are left to settle */
  #releaseSome(name: string, ids: readonly Range[]): Promise<Range[]> {
    const isDropped = () => {
      const queue = this.#queues.inUse(name);
      return queue?.row.closed === CLOSED_NOW || queue?.areExpired(ids, this.now());
    };
    // Earlier steps may close the queue or open it, so it is looked at again then.
    const run = () => {
      const queue = this.#queues.inUse(name);
      if (queue === undefined) return [];
      const { changed, rest } = queue.release(ids, aTurn());
      if (isDropped()) this.#drop(queue, changed);
      this.#changed.add(name);
      return rest;
    };
    return isDropped() ? this.#write(run) : this.#read(run);
  }

  /** A part of it. */
  #move(name: string, to: string, most: number, { answer, position, from }: StepProgress): StepProgress {
    const source = this.#queues.find(name);
    const known = this.#queues.find(to);
    if (source === undefined || position === undefined) return { answer, position: undefined };
    const target = () => {
      const queue = this.#queues.find(to) ?? this.#queues.make(to);
      this.#touch(source);
      this.#touch(queue);
      return queue;
    };
    const copy = (runs: readonly Run[], row: BatchRow) => {
      const label = this.#tables.batch.label(row);
      const queue = target();
      source.finish(runs.map(rangeOf), [WAITING]);
      const { priority, put_at: putAt, expires_at } = row;
      this.#transfer(
        queue,
        row.chunk === null ? join(runs.map((run) => run.messages as Packed)) : storedOf(row),
        { priority, putAt, expires_at },
        queue === source ? label : labelOf(queue, keyOf(queue, label)),
      );
    };
    const move: Move = {
      source,
      target,
      before: position,
      count: most - answer,
      room: known?.closed ? 0 : known && known !== source ? known.room : Infinity,
      refusal: () => (known?.closed ? closed(to) : new MqError('FULL', `queue ${to} is full`)),
      now: this.now(),
      newIds: (count) => {
        this.#nextId += count;
        return this.#nextId - count;
      },
      copy,
    };
    const part = moveSome(this.#tables, move, from, aTurn());
    return { answer: answer + part.moved, position: part.from && position, from: part.from };
  }

  /** A part of it. */
  #purge(name: string, progress: StepProgress): StepProgress {
    const { answer, position, from } = progress;
    const queue = this.#queues.find(name);
    if (queue === undefined || position === undefined) return { answer, position: undefined };
    this.#touch(queue);
    const part = queue.dropPending(position, from, aTurn());
    return { answer: answer + part.dropped, position: part.from && position, from: part.from };
  }

  /** Drops expired messages. */
  #sweep(now: number, isOver: () => boolean): void {
    const expired = this.#tables.batch.expired(this.#swept, now, MOST_DUE);
    for (const { queue: id, ...row } of expired) {
      if (isOver()) return;
      const queue = this.#queues.withId(id);
      if (queue) this.#touch(queue);
      queue?.expire([{ first: row.first, last: row.first + row.count - 1 }], now);
      this.#swept = { time: row.expires_at as number, first: row.first };
    }
    if (expired.length < MOST_DUE) this.#swept = { time: now, first: Number.MAX_SAFE_INTEGER };
  }

  /** Deletes, part by part, the messages of queues that were removed. */
  async #deleteRemoved(): Promise<void> {
    const part = (id: number) => () => {
      if (this.#tables.deleteBatches(id, aTurn())) this.#tables.queue.deleteRemoved(id);
    };
    try {
      while (!this.#ended) {
        const id = this.#tables.queue.removed();
        if (id === undefined) break;
        await this.#write(part(id));
      }
      if (!this.#ended) await this.#chunks.deleteUnused();
    } catch {
      // On an error, such as a full disk, the next removal or the next daemon goes on.
    }
  }

  #dueAt(time: number): void {
    this.#due = Math.min(this.#due, time);
  }

  /** To be called before a queue is changed. */
  #touch(queue: StoredQueue): void {
    this.#queues.touch(queue);
    this.#changed.add(queue.row.name);
  }

  async #read<T>(run: () => T): Promise<T> {
    return this.#checked(async () => {
      const result = await this.#group.read(run);
      this.#announce();
      return result;
    });
  }

  /** @param isPut whether it adds messages, which may be refused on a full disk */
  #write<T>(run: () => T, isPut = false): Promise<T> {
    return this.#checked(() => this.#group.write(run, isPut));
  }

  #hasMoreRoom(error: unknown, isPut: boolean, tries: number): boolean {
    if (toMqError(error, this.#path).code !== 'DISKFULL') return false;
    if (!isPut) return this.#room.make(tries === 1);
    // The cause of a refusal is known already.
    if (!(error instanceof MqError)) this.#room.found();
    return false;
  }

  #once(once: Once | undefined, run: () => number): Promise<number> {
    const begin = () => ({ answer: run(), position: undefined });
    return this.#inParts(once, begin, (progress) => progress);
  }

  /**
   * Runs a long step in parts, with the steps of others between.
   * @param begin checks the step. @returns the beginning of its first part
   * @param part does a part. @returns the progress of the step
   * @param room bytes of messages for which a part needs room, as a put does
   */
  async #inParts(
    once: Once | undefined,
    begin: () => StepProgress,
    part: (progress: StepProgress) => StepProgress,
    room = 0,
  ): Promise<number> {
    let progress: StepProgress | undefined;
    do {
      const last = progress;
      const noRoom = room > 0 ? this.#room.refusal(room) : undefined;
      const step = () => {
        // Somebody else may have asked for the same step meanwhile, and go on with it too.
        const said = once && this.#tables.client.answer(once);
        const known = said ? { ...said, from: last?.from } : last;
        if (known && known.position === undefined) return known;
        const place = known ?? begin();
        if (noRoom && place.position !== undefined) throw noRoom;
        const next = part(place);
        if (once) this.#tables.client.setAnswer(once, next, Date.now());
        return next;
      };
      progress = await this.#write(step, room > 0);
    } while (progress.position !== undefined);
    return progress.answer;
  }

  /**
   * Runs a step with leases: with all of them, or none. Many leases are checked first, and the step is done in parts:
   * a lease that goes meanwhile does not keep the others from it.
   * @throws MqError NOLEASE
   */
  async #withLeases(
    name: string,
    leases: readonly string[],
    once: Once | undefined,
    step: (queue: StoredQueue, messages: MessageRow[]) => number,
  ): Promise<number> {
    const all = [...new Set(leases)];
    if (all.length <= MANY_LEASES) {
      return this.#once(once, () => {
        const queue = this.#queues.get(name);
        const messages = all.map((lease) => queue.leased(lease));
        this.#touch(queue);
        return step(queue, messages);
      });
    }
    if (once === undefined || (await this.#read(() => this.#tables.client.answer(once))) === undefined)
      await this.#checkLeases(name, all);
    let missing: string | undefined;
    const part = ({ answer, position = 0 }: StepProgress): StepProgress => {
      const queue = this.#queues.get(name);
      this.#touch(queue);
      const isOver = aTurn(1);
      let at = position;
      let sum = answer;
      do {
        const some = all.slice(at, at + SOME_LEASES);
        const messages = leasedOf(queue, some);
        if (messages.length < some.length)
          missing ??= some.find((lease) => queue.findLease(lease) === undefined);
        sum += step(queue, messages);
        at += some.length;
      } while (at < all.length && !isOver());
      return { answer: sum, position: at < all.length ? at : undefined };
    };
    const answer = await this.#inParts(once, () => ({ answer: 0, position: 0 }), part);
    if (missing === undefined) return answer;
    if (once) await this.#write(() => this.#tables.client.deleteAnswer(once));
    throw noLease(name, missing);
  }

  /** @throws MqError NOLEASE */
  async #checkLeases(name: string, leases: readonly string[]): Promise<void> {
    for (let at = 0; at < leases.length; at += MANY_LEASES) {
      await this.#read(() => {
        const queue = this.#queues.get(name);
        for (const lease of leases.slice(at, at + MANY_LEASES)) queue.leased(lease);
      });
      await othersTurn();
    }
  }

  async #checked<T>(step: () => Promise<T>): Promise<T> {
    if (this.#damage !== undefined) throw this.#damage;
    try {
      return await step();
    } catch (error) {
      throw this.#noteDamage(error);
    }
  }

  #noteDamage(error: unknown): MqError {
    const known = toMqError(error, this.#path);
    if (known.code === 'DAMAGED' && known !== error) {
      this.#damage = known;
      this.#vacuum.close();
    }
    return known;
  }

  #beforeCommit(): void {
    this.#queues.write();
    for (const client of this.#forgotten) this.#tables.client.forget(client);
    if (this.#nextId > this.#reserved) this.#tables.store.setNextId(this.#nextId + RESERVE);
    this.#sayTime();
  }

  #sayTime(): void {
    const [now, said] = [this.now(), this.#saidTime];
    // Alone it is not written: the disk may be full.
    if (now < said + CLOCK_EVERY || this.#tables.sql.changes === this.#committed) return;
    this.#tables.store.setClock(now);
    this.#saidTime = now;
    this.#group.undo(() => {
      this.#saidTime = said;
    });
  }

  /** Checks that the file can still be opened: commits to one that nobody can open again are lost. */
  #checkFile(): void {
    if (statSync(this.#path, { throwIfNoEntry: false })?.ino === this.#inode) return;
    throw new MqError('STOREGONE', `the store was removed while it was in use: ${this.#path}`);
  }

  #afterCommit(): void {
    if (this.#nextId > this.#reserved) this.#reserved = this.#nextId + RESERVE;
    this.#queues.written();
    this.#forgotten.clear();
    this.#committed = this.#tables.sql.changes;
    if (this.#chunks.areUnused) void this.#chunks.deleteUnused();
    this.#room.committed(this.#group.isIdle);
    this.#vacuum.committed();
    this.#syncer.committed();
    this.#announce();
  }

  #afterRollback(): void {
    this.#room.rolledBack();
    this.#queues.forget();
    this.#changed.clear();
  }

  #announce(): void {
    const changed = [...this.#changed];
    this.#changed.clear();
    for (const name of changed) this.#events.changed(name);
    if (this.#due >= this.#saidDue) return;
    this.#saidDue = this.#due;
    this.#events.due(this.#due);
  }
}

/** The messages of those of the leases that are there. */
function leasedOf(queue: StoredQueue, leases: readonly string[]): MessageRow[] {
  return leases.map((lease) => queue.findLease(lease)).filter((message) => message !== undefined);
}

function closed(name: string): MqError {
  return new MqError('CLOSED', `queue ${name} is closed`);
}

/** The messages that are stored in chunks. */
function largeIn(messages: Packed): Packed[] {
  if (messages.bytes.length <= LARGE) return [];
  return [...pieces(messages, BATCH_BYTES)].filter(({ bytes }) => bytes.length > LARGE);
}

/** The place of a batch's message that is in chunks. */
function storedOf({ chunk, size }: BatchRow): Stored {
  return { chunk: chunk as number, size: size as number };
}

function labelOf({ row }: StoredQueue, key: string | undefined): Label | undefined {
  return key === undefined ? undefined : { key, key_queue: row.id, origin_queue: null, origin_id: null };
}

/** The key of this queue that a message from another one has. */
function keyOf({ row }: StoredQueue, label: Label | undefined): string | undefined {
  return label?.key_queue === row.id ? (label.key ?? undefined) : undefined;
}
