import type { Once } from '../../once.ts';
import type { Packed } from '../../packed.ts';
import type { Range } from '../../range.ts';
import { Reserve } from '../../reserve.ts';
import type { Settings } from '../../settings.ts';
import type { Acted } from '../acted.ts';
import type { Entry, LookLimit } from '../look.ts';
import type { QueueState } from '../queue-state.ts';
import type { Run } from '../run.ts';
import type {
  Binding,
  Clock,
  Events,
  Outcome,
  PutOptions,
  PutResult,
  Reservation,
  Store,
  TakeLimit,
  TakeResult,
} from '../store.ts';
import { Acts } from './acts.ts';
import { Announcer } from './announcer.ts';
import { BodyCache } from './body-cache.ts';
import { Chunks } from './chunks.ts';
import { toMqError } from './database.ts';
import { DueSteps } from './due.ts';
import { Leftovers } from './leftovers.ts';
import { LongSteps } from './long-steps.ts';
import { Looks } from './looks.ts';
import { MessageIds } from './message-ids.ts';
import { Puts } from './put.ts';
import { QueueChanges } from './queue-changes.ts';
import { queueStateOf } from './queue-counts.ts';
import { type LedgerOptions, Reservations } from './reservations.ts';
import { Settles } from './settles.ts';
import { Steps } from './steps.ts';
import { StoreClock } from './store-clock.ts';
import { StoreFile } from './store-file.ts';
import { StoredQueues } from './stored-queues.ts';
import { type Sync, syncFile } from './syncer.ts';
import { Takes } from './takes.ts';

/**
 * Queues in an SQLite file. The state of queues in use is kept in memory too, so that taking a message reads one batch,
 * and holding it writes nothing.
 */
export class SqliteStore implements Store {
  readonly #file: StoreFile;
  readonly #chunks: Chunks;
  readonly #reservations: Reservations;
  readonly #queues: StoredQueues;
  readonly #clock: StoreClock;
  readonly #ids: MessageIds;
  readonly #puts: Puts;
  readonly #takes: Takes;
  readonly #looks: Looks;
  readonly #settles: Settles;
  readonly #changes: QueueChanges;
  readonly #acts: Acts;
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
    ledger?: LedgerOptions,
  ) {
    try {
      // First, because its error says who made a file system read-only.
      const reservations = new Reservations(path, reserve, ledger);
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
      this.#puts = new Puts(file, reservations, chunks, context, steps);
      this.#takes = new Takes(file, reservations, context);
      this.#looks = new Looks(file, context);
      const long = new LongSteps(file, queues);
      this.#settles = new Settles(file, reservations, long, context, steps);
      this.#acts = new Acts(file, reservations, long, context, steps);
      this.#due = new DueSteps(context, steps, undo);
      this.#leftovers = new Leftovers(file, chunks, context, steps);
      this.#changes = new QueueChanges(file, long, this.#leftovers, context, steps);
      this.#reservations = reservations;
      file.tryAtOnce(() => reservations.begin((name, ids) => queues.find(name)?.holdThese(ids) ?? []));
      this.#leftovers.begin(this.#due);
    } catch (error) {
      throw toMqError(error, path);
    }
  }

  put(name: string, messages: Packed, options: PutOptions): Promise<PutResult> {
    return this.#puts.put(name, messages, options);
  }

  take(name: string, limit: TakeLimit, owner?: string): Promise<TakeResult> {
    return this.#takes.take(name, limit, owner);
  }

  lease(name: string, limit: TakeLimit, duration: number, owner?: string): Promise<TakeResult> {
    return this.#takes.lease(name, limit, duration, owner);
  }

  takeIds(name: string, ids: readonly Range[], owner?: string): Promise<Range[]> {
    return this.#takes.takeIds(name, ids, owner);
  }

  settle(name: string, ids: readonly Range[], outcome: Outcome, owner?: string): Promise<void> {
    return this.#settles.settle(name, ids, outcome, owner);
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

  extend(name: string, leases: readonly string[], duration: number, binding?: Binding): Promise<void> {
    return this.#settles.extend(name, leases, duration, binding);
  }

  async reserved(): Promise<Reservation[]> {
    return this.#reservations.former();
  }

  gaveBack(owner: string): void {
    this.#reservations.gaveBack(owner);
  }

  runDue(): Promise<void> {
    return this.#file.checked(() => {
      // If nothing is due, as when somebody looks again, nothing is written.
      if (this.#file.isIdle && !this.#due.isDue) return this.#file.read(() => this.#due.tellNext());
      return this.#file.write(() => this.#due.run());
    });
  }

  peek(name: string, limit: TakeLimit): Promise<Run[]> {
    return this.#takes.peek(name, limit);
  }

  look(name: string, look: LookLimit): Promise<Entry[]> {
    return this.#looks.look(name, look);
  }

  move(from: string, to: string, count?: number, once?: Once): Promise<number> {
    return this.#changes.move(from, to, count, once);
  }

  moveIds(from: string, to: string, ids: readonly number[], once?: Once): Promise<Acted> {
    return this.#acts.moveIds(from, to, ids, once);
  }

  retry(name: string, ids: readonly number[] | undefined, once?: Once): Promise<Acted> {
    return this.#acts.retry(name, ids, once);
  }

  drop(name: string, ids: readonly number[], once?: Once): Promise<Acted> {
    return this.#acts.drop(name, ids, once);
  }

  purge(name: string, once?: Once): Promise<number> {
    return this.#changes.purge(name, once);
  }

  remove(name: string, force: boolean, once?: Once): Promise<void> {
    return this.#changes.remove(name, force, once);
  }

  rename(name: string, to: string, once?: Once): Promise<void> {
    return this.#changes.rename(name, to, once);
  }

  create(name: string, settings: Partial<Settings>): Promise<void> {
    return this.#changes.create(name, settings);
  }

  configure(name: string, settings: Partial<Settings>): Promise<void> {
    return this.#changes.configure(name, settings);
  }

  close(name: string, now: boolean): Promise<void> {
    return this.#changes.close(name, now);
  }

  open(name: string): Promise<void> {
    return this.#changes.open(name);
  }

  pause(name: string, once?: Once): Promise<void> {
    return this.#changes.pause(name, once);
  }

  resume(name: string, once?: Once): Promise<void> {
    return this.#changes.resume(name, once);
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

  idsOf(client: string, position: number): Promise<readonly Range[]> {
    return this.#file.read(() => this.#file.tables.client.ids(client, position));
  }

  forget(client: string): void {
    this.#forgotten.add(client);
  }

  isInPlace(): boolean {
    return this.#file.isInPlace();
  }

  async end(): Promise<void> {
    this.#leftovers.end();
    this.#chunks.end();
    await this.#file.end(() => {
      this.#ids.end();
      this.#clock.end();
    });
    this.#reservations.end();
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
