import { MqError } from '../../errors.ts';
import type { Once } from '../../once.ts';
import type { Packed } from '../../packed.ts';
import type { Range } from '../../range.ts';
import { Reserve } from '../../reserve.ts';
import type { Settings } from '../../settings.ts';
import type { QueueState } from '../queue-state.ts';
import { checkSettings, differences, notEmpty } from '../rules.ts';
import type { Run } from '../run.ts';
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
import { Announcer } from './announcer.ts';
import { BodyCache } from './body-cache.ts';
import { Chunks } from './chunks.ts';
import { toMqError } from './database.ts';
import { DueSteps } from './due.ts';
import { Leftovers } from './leftovers.ts';
import { LongSteps, type StepProgress } from './long-steps.ts';
import { MessageIds } from './message-ids.ts';
import { Puts } from './put.ts';
import { CLOSED_NOW, queueStateOf } from './queue-counts.ts';
import { Settles } from './settles.ts';
import { Steps } from './steps.ts';
import { StoreClock } from './store-clock.ts';
import { StoreFile } from './store-file.ts';
import { StoredQueues } from './stored-queues.ts';
import { type Sync, syncFile } from './syncer.ts';
import { Takes } from './takes.ts';
import { aTurn } from './turn.ts';

/** Bytes of a part of a move, about the most. */
const MOVED = 1024 * 1024;

const DONE: StepProgress = { answer: 0, position: undefined };

/**
 * Queues in an SQLite file. The state of queues in use is kept in memory too, so that taking a message reads one batch,
 * and holding it writes nothing.
 */
export class SqliteStore implements Store {
  readonly #file: StoreFile;
  readonly #chunks: Chunks;
  readonly #queues: StoredQueues;
  readonly #clock: StoreClock;
  readonly #ids: MessageIds;
  readonly #steps: Steps;
  readonly #puts: Puts;
  readonly #takes: Takes;
  readonly #settles: Settles;
  readonly #long: LongSteps;
  readonly #due: DueSteps;
  readonly #leftovers: Leftovers;
  readonly #forgotten = new Set<string>();

  /** @throws MqError INUSE, DAMAGED, DISKFULL, IOERROR, NOTALLOWED */
  constructor(
    path: string,
    events: Events,
    clock: Clock,
    sync: Sync = syncFile,
    reserve = new Reserve(`${path}-reserve`),
  ) {
    try {
      const announcer = new Announcer(events, () => this.#clock.now());
      const file = new StoreFile(path, sync, reserve, {
        beforeCommit: () => this.#beforeCommit(),
        afterCommit: () => this.#afterCommit(),
        afterRollback: () => this.#queues.forget(),
        announce: () => announcer.announce(),
      });
      const { tables } = file;
      const undo = file.undo.bind(file);
      const chunks = new Chunks(file);
      const queues = new StoredQueues({ tables, bodies: new BodyCache(), chunks, undo }, announcer);
      const ids = new MessageIds(tables.store);
      const context = { tables, queues, announcer, ids, clock: new StoreClock(tables, clock, undo) };
      const steps = new Steps(context);
      this.#file = file;
      this.#chunks = chunks;
      this.#queues = queues;
      this.#ids = ids;
      this.#clock = context.clock;
      this.#steps = steps;
      this.#puts = new Puts(file, chunks, context, steps);
      this.#takes = new Takes(file, context);
      this.#long = new LongSteps(file, queues);
      this.#settles = new Settles(file, this.#long, context, steps);
      this.#due = new DueSteps(context, steps, undo);
      this.#leftovers = new Leftovers(file, chunks, context, steps);
      this.#leftovers.begin(this.#due);
    } catch (error) {
      throw toMqError(error, path);
    }
  }

  put(name: string, messages: Packed, options: PutOptions): Promise<PutResult> {
    return this.#puts.put(name, messages, options);
  }

  take(name: string, limit: TakeLimit): Promise<TakeResult> {
    return this.#takes.take(name, limit);
  }

  lease(
    name: string,
    limit: TakeLimit,
    duration: number,
    beforeCommit?: (tokens: readonly string[]) => void,
  ): Promise<TakeResult> {
    return this.#takes.lease(name, limit, duration, beforeCommit);
  }

  takeIds(name: string, ids: readonly Range[]): Promise<Range[]> {
    return this.#file.read(() => this.#queues.find(name)?.holdThese(ids) ?? []);
  }

  settle(name: string, ids: readonly Range[], outcome: Outcome): Promise<void> {
    return this.#settles.settle(name, ids, outcome);
  }

  settleLeases(
    name: string,
    leases: readonly string[],
    outcome: Outcome | 'failed',
    delay?: number,
    once?: Once,
  ): Promise<number> {
    return this.#settles.settleLeases(name, leases, outcome, delay, once);
  }

  returnLeases(name: string, leases: readonly string[]): Promise<void> {
    return this.#settles.returnLeases(name, leases);
  }

  extend(name: string, leases: readonly string[], duration: number): Promise<void> {
    return this.#settles.extend(name, leases, duration);
  }

  runDue(): Promise<void> {
    return this.#file.write(() => this.#due.run());
  }

  peek(name: string, limit: TakeLimit): Promise<Run[]> {
    return this.#takes.peek(name, limit);
  }

  async move(from: string, to: string, count = Infinity, once?: Once): Promise<number> {
    let moved = 0;
    let most = count;
    const begin = () => {
      most = this.#steps.checkMove(from, to, count);
      return most === 0 ? DONE : { answer: 0, position: this.#ids.next };
    };
    const part = (progress: StepProgress) => {
      moved = progress.answer;
      return this.#steps.move(from, to, most, progress);
    };
    try {
      return await this.#long.inParts(once, begin, part, MOVED);
    } catch (error) {
      throw moved > 0 && error instanceof MqError ? error.withStored(moved) : error;
    }
  }

  purge(name: string, once?: Once): Promise<number> {
    const begin = () => {
      this.#queues.get(name);
      return { answer: 0, position: this.#ids.next };
    };
    return this.#long.inParts(once, begin, (progress) => this.#steps.purge(name, progress));
  }

  async remove(name: string, force: boolean, once?: Once): Promise<void> {
    await this.#long.once(once, () => {
      const queue = this.#queues.get(name);
      if (queue.row.size > 0 && !force) throw notEmpty(name, queue.row.size);
      this.#queues.remove(queue, aTurn());
      return 0;
    });
    void this.#leftovers.deleteRemoved();
  }

  create(name: string, settings: Partial<Settings>): Promise<void> {
    const step = () => {
      checkSettings(name, settings);
      const queue = this.#queues.find(name);
      if (queue === undefined) this.#queues.make(name, settings);
      else differences(name, queue.row, settings);
    };
    return this.#file.write(step, true);
  }

  configure(name: string, settings: Partial<Settings>): Promise<void> {
    return this.#file.write(() => {
      checkSettings(name, settings);
      const queue = this.#queues.get(name);
      const { size, kind } = queue.row;
      if (settings.kind && settings.kind !== kind && size > 0) throw notEmpty(name, size);
      this.#queues.touch(queue);
      Object.assign(queue.row, settings);
      this.#file.tables.queue.updateSettings(queue.row);
      queue.batches.order.rewind();
    });
  }

  async close(name: string, now: boolean): Promise<void> {
    const begin = () => {
      const queue = this.#queues.get(name);
      this.#queues.touch(queue);
      queue.row.closed = now ? CLOSED_NOW : queue.row.closed || 1;
      return { answer: 0, position: this.#ids.next };
    };
    await this.#long.inParts(undefined, begin, (progress) =>
      now ? this.#steps.purge(name, progress) : DONE,
    );
  }

  open(name: string): Promise<void> {
    return this.#file.write(() => {
      const queue = this.#queues.get(name);
      this.#queues.touch(queue);
      queue.row.closed = 0;
    });
  }

  stat(name: string): Promise<QueueState | undefined> {
    return this.#file.read(() => this.#queues.find(name)?.state());
  }

  count(): Promise<number> {
    return this.#file.read(() => this.#file.tables.queue.count());
  }

  names(after = '', count: number): Promise<string[]> {
    return this.#file.read(() => this.#file.tables.queue.names(after, count));
  }

  list(after = '', count = Infinity): Promise<QueueState[]> {
    return this.#file.read(() =>
      this.#file.tables.queue.after(after, count).map(
        (row) =>
          // Of queues that are not in use all is in the file, and nothing is held.
          this.#queues.inUse(row.name)?.state() ?? queueStateOf(row, 0, row.oldest_at ?? undefined),
      ),
    );
  }

  async rest(): Promise<void> {
    await this.#leftovers.deleteRemoved();
    await this.#file.rewrite();
  }

  synced(): Promise<void> {
    return this.#file.synced();
  }

  stored(client: string): Promise<number> {
    return this.#file.read(() => this.#file.tables.client.stored(client));
  }

  forget(client: string): void {
    this.#forgotten.add(client);
  }

  async end(): Promise<void> {
    this.#leftovers.end();
    this.#chunks.end();
    await this.#file.end(() => {
      this.#ids.end();
      this.#clock.end();
    });
  }

  #beforeCommit(): void {
    this.#queues.write();
    for (const client of this.#forgotten) this.#file.tables.client.forget(client);
    this.#ids.beforeCommit();
    this.#clock.beforeCommit();
  }

  #afterCommit(): void {
    this.#ids.afterCommit();
    this.#queues.written();
    this.#forgotten.clear();
    this.#clock.afterCommit();
    if (this.#chunks.areUnused) void this.#chunks.deleteUnused();
  }
}
