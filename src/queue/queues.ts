import { now } from '../clock.ts';
import { MqError } from '../errors.ts';
import type { Once } from '../once.ts';
import type { Packed } from '../packed.ts';
import type { Range } from '../range.ts';
import type { QueueState } from '../store/queue-state.ts';
import { checkLarge, type Run } from '../store/run.ts';
import type { OpenStore, Outcome, PutOptions, Store } from '../store/store.ts';
import { Alarm } from './alarm.ts';
import { type GetEvents, type GetOptions, Getters, type Taken } from './getters.ts';
import { Joiners } from './joiners.ts';
import { LOOK_AGAIN, LookAgain } from './look-again.ts';
import { Meter } from './meter.ts';
import type { Owner } from './owner.ts';
import { Owners } from './owners.ts';
import { type PutOutcome, Putters } from './putters.ts';

/** Milliseconds after which a step that was due and failed is tried again: the disk may be full. */
const TRY_AGAIN = 1000;

/**
 * Milliseconds for which the process or the machine must have stood still for leases to run out later, and by how
 * much later: workers may have told that they are done meanwhile, or wake up only now.
 */
const STANDSTILL = 1000;
const GRACE = 3000;

/**
 * The queues as producers and consumers see them: who waits, who is next, who holds what. Only the store knows what
 * is true of messages; `store` serves all that needs no waiting.
 */
export class Queues {
  readonly store: Store;
  readonly #owners: Owners;
  readonly #putters: Putters;
  readonly #getters: Getters;
  readonly #joiners: Joiners;
  readonly #alarm = new Alarm((late) => this.#ring(late));
  readonly #meter = new Meter();
  readonly #failed: (error: unknown) => void;
  /** The time of the last look whether something is due (clock.ts). */
  #lookedAt = Number.NEGATIVE_INFINITY;
  #stopped: MqError | undefined;

  /**
   * Opens the store, and keeps what an earlier daemon gave to processes that may live.
   * @param failed receives errors of background work
   * @param lookAgain see LookAgain
   */
  static async open(
    openStore: OpenStore,
    failed: (error: unknown) => void,
    lookAgain = LOOK_AGAIN,
  ): Promise<Queues> {
    const store = await openStore({
      changed: (queue) => queues.#changed(queue),
      due: (milliseconds) => queues.#alarm.set(milliseconds),
    });
    const queues = new Queues(store, failed, lookAgain);
    await queues.#owners.recover();
    return queues;
  }

  private constructor(store: Store, failed: (error: unknown) => void, lookAgain: number) {
    this.#failed = failed;
    this.store = store;
    this.#owners = new Owners(this.store, failed);
    const again = (look: (queue: string) => void) =>
      new LookAgain((queue) => {
        this.#lookWhatIsDue(lookAgain);
        look(queue);
      }, lookAgain);
    this.#putters = new Putters(this.store, again);
    const events: GetEvents = {
      leases: (owner, queue, leases) => this.#owners.bind(owner, queue, leases),
      giveBack: (owner, queue, runs) => this.#owners.giveBackTaken(owner, queue, runs),
    };
    this.#getters = new Getters(this.store, events, again);
    this.#joiners = new Joiners(this.store, again);
  }

  /** @see Owners.identify */
  identify(owner: Owner, holder: string): void {
    this.#owners.identify(owner, holder);
  }

  /** @see Owners.enter */
  enter(): Owner {
    return this.#owners.enter();
  }

  /** @see Owners.leave */
  leave(owner: Owner): Promise<void> {
    return this.#owners.leave(owner);
  }

  /** @see Putters.put */
  async put(
    owner: Owner,
    queue: string,
    messages: Packed,
    options: PutOptions,
    timeout: number,
  ): Promise<PutOutcome> {
    if (this.#stopped) return this.#putters.refuse({ messages, options, stored: 0 }, this.#stopped);
    this.#check(owner);
    const put = await this.#putters.put(queue, messages, options, owner.ended ? 0 : timeout, owner);
    this.#meter.count(queue, 'put', put.stored);
    if (options.done) this.#settled(options.done.queue, [options.done.lease], 'done');
    return put;
  }

  /** @see Getters.get */
  async get(owner: Owner, queues: readonly string[], options: GetOptions): Promise<Taken | undefined> {
    this.#check(owner);
    if (owner.isBack) await this.#owners.reclaim(owner);
    // An owner that has gone meanwhile gets nothing: its messages would never be back.
    this.#check(owner);
    const taken = await this.#getters.get(queues, owner.ended ? { ...options, timeout: 0 } : options, owner);
    if (taken) await this.#checkLarge(owner, taken);
    return taken;
  }

  /** @see Getters.getOne */
  async getOne(
    owner: Owner,
    queue: string,
    id: number,
    lease: GetOptions['lease'],
  ): Promise<Taken | undefined> {
    this.#check(owner);
    if (owner.isBack) await this.#owners.reclaim(owner);
    this.#check(owner);
    const taken = await this.#getters.getOne(queue, id, lease, owner);
    if (taken) await this.#checkLarge(owner, taken);
    return taken;
  }

  /** @see Joiners.join */
  async join(owner: Owner, queue: string, timeout: number): Promise<boolean> {
    this.#check(owner);
    return this.#joiners.join(queue, owner.ended ? 0 : timeout, owner);
  }

  /** @see Store.settleLeases */
  async settleLeases(
    queue: string,
    leases: readonly string[],
    outcome: Outcome | 'failed',
    delay?: number,
    once?: Once,
  ): Promise<number> {
    const dead = await this.store.settleLeases(queue, leases, outcome, delay, once);
    this.#settled(queue, leases, outcome);
    return dead;
  }

  /**
   * @param binding whether the leases end with the owner's connection from now on, or with none;
   *   undefined: as before
   * @see Store.extend
   */
  async extend(
    owner: Owner,
    queue: string,
    leases: readonly string[],
    duration: number,
    binding: 'hold' | 'free' | undefined,
  ): Promise<void> {
    const its = binding && { owner: binding === 'hold' ? owner.holder : undefined };
    await this.store.extend(queue, leases, duration, its);
    if (binding === undefined) return;
    this.#owners.unbind(leases);
    for (const lease of leases) owner.unclaimed.delete(lease);
    if (binding === 'free') return;
    if (owner.gone) await this.#owners.giveBackLeases(owner, queue, leases);
    else this.#owners.bind(owner, queue, leases);
    // The daemon that it was paused by may have died before it could tell.
    if (binding === 'hold' && (await this.store.stat(queue))?.paused) owner.onPaused(queue);
  }

  /** @see Store.pause */
  async pause(queue: string, once?: Once): Promise<void> {
    await this.store.pause(queue, once);
    this.#owners.tellPaused(queue);
  }

  /** Joins go with the queue; gets and puts that wait stay with its former name. @see Store.rename */
  async rename(queue: string, to: string, once?: Once): Promise<void> {
    await this.#joiners.rename(queue, to, () => this.store.rename(queue, to, once));
    this.#meter.renamed(queue, to);
  }

  /** @see Owners.done */
  async done(owner: Owner, queue: string, ids: readonly Range[]): Promise<number> {
    const count = await this.#owners.done(owner, queue, ids);
    this.#meter.count(queue, 'done', count);
    return count;
  }

  /** @see Owners.giveBack */
  giveBack(owner: Owner, queue: string, ids: readonly Range[]): Promise<void> {
    return this.#owners.giveBack(owner, queue, ids);
  }

  /** @see Owners.areHeld */
  get areHeld(): boolean {
    return this.#owners.areHeld;
  }

  /** @see Owners.holderOf */
  holderOf(queue: string, run: Run): string | undefined {
    return this.#owners.holderOf(queue, run);
  }

  /** @see Owners.countAt */
  consumersOf({ name }: QueueState): number {
    return this.#owners.countAt(name);
  }

  /** @see Meter.rates */
  ratesOf({ name }: QueueState): { put: number; done: number } {
    return this.#meter.rates(name);
  }

  /** Ends all waits with this error, now and from now on. */
  stop(error: MqError): void {
    this.#stopped = error;
    this.#getters.stop(error);
    this.#putters.stop(error);
    this.#joiners.stop(error);
  }

  /** @see Owners.end */
  end(): void {
    this.#owners.end();
    this.#alarm.clear();
  }

  #changed(queue: string): void {
    this.#putters.wake(queue);
    this.#getters.wake(queue);
    this.#joiners.wake(queue);
  }

  /** The store's word that something is due may have been lost. However many queues are looked at, one look is enough. */
  #lookWhatIsDue(every: number): void {
    if (now() - this.#lookedAt < every / 2) return;
    this.#lookedAt = now();
    void this.#runDue();
  }

  #ring(late: number): void {
    if (late > STANDSTILL) this.#alarm.set(GRACE);
    else void this.#runDue();
  }

  async #runDue(): Promise<void> {
    try {
      await this.store.runDue();
    } catch (error) {
      this.#failed(error);
      this.#alarm.set(TRY_AGAIN);
    }
  }

  /** @throws MqError DAMAGED when messages cannot be read; then they are given back */
  async #checkLarge(owner: Owner, { queue, runs }: Taken): Promise<void> {
    try {
      await checkLarge(runs);
    } catch (error) {
      await this.#owners.giveBackTaken(owner, queue, runs);
      throw error;
    }
  }

  #settled(queue: string, leases: readonly string[], outcome: Outcome | 'failed'): void {
    this.#owners.unbind(leases);
    if (outcome === 'done') this.#meter.count(queue, 'done', leases.length);
  }

  #check(owner: Owner): void {
    if (this.#stopped) throw this.#stopped;
    if (owner.gone) throw new MqError('INTERRUPTED', 'the connection ended');
  }
}
