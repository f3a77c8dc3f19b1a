import { MqError } from '../errors.ts';
import { stateOf } from '../holder.ts';
import type { Packed } from '../packed.ts';
import {
  checkLarge,
  type Events,
  type Once,
  type Outcome,
  type PutOptions,
  type QueueState,
  type Range,
  rangeOf,
  type Store,
  tokensOf,
} from '../store/store.ts';
import { Alarm } from './alarm.ts';
import { Consumer } from './consumer.ts';
import { type GetOptions, Getters, type Taken } from './getters.ts';
import { Joiners } from './joiners.ts';
import type { Given, Ledger } from './ledger.ts';
import { Meter } from './meter.ts';
import { Presence } from './presence.ts';
import { Putters } from './putters.ts';

/** The ledger is begun anew when it is larger, in bytes. */
const LEDGER_LIMIT = 1024 * 1024;

/** When what was due could not be done, it is tried again after so many ms: the disk may be full. */
const TRY_AGAIN = 1000;

/** How often it is looked whether the absent live, in ms. */
const LOOK_EVERY = 200;

/** For how long the absent are awaited of whom that cannot be seen, in ms: a client that lives comes back at once. */
const MOST_ABSENCE = 15_000;

/**
 * When this process or the machine stood still for so long, in ms, leases run out so much later: who
 * works on a message may have said so, or wake up only now.
 */
const STANDSTILL = 1000;
const GRACE = 3000;

interface Settling {
  holder: string | undefined;
  queue: string;
  ids: Range[];
}

/**
 * The queues as those see them who put and get: who waits, who is next, who holds what. What is
 * true of the messages only the store knows; `store` serves all that needs no waiting.
 */
export class Queues {
  readonly store: Store;
  readonly #putters: Putters;
  readonly #getters: Getters;
  readonly #joiners: Joiners;
  readonly #alarm = new Alarm(
    (late) => this.#ring(late),
    () => this.store.now(),
  );
  readonly #meter = new Meter(() => this.store.now());
  /** Whom leases are bound to. */
  readonly #bound = new Map<string, Consumer>();
  readonly #consumers = new Set<Consumer>();
  readonly #present = new Map<string, number>();
  readonly #failed: (error: unknown) => void;
  readonly #ledger: Ledger | undefined;
  /** What is said to be consumed, and may not be recorded yet. */
  readonly #settling = new Set<Settling>();
  /** Those who held messages when an earlier daemon died, and are not back. */
  readonly #absent = new Map<string, Consumer>();
  #absentTimer: NodeJS.Timeout | undefined;
  #awaitedUntil = 0;
  #stopped: MqError | undefined;
  #hasEnded = false;

  /** @param failed told of what goes wrong while nobody waits for an answer */
  constructor(openStore: (events: Events) => Store, failed: (error: unknown) => void, ledger?: Ledger) {
    this.#failed = failed;
    this.#ledger = ledger;
    this.store = openStore({
      changed: (queue) => {
        this.#putters.wake(queue);
        this.#getters.wake(queue);
        this.#joiners.wake(queue);
      },
      due: (time) => this.#alarm.set(time),
    });
    this.#putters = new Putters(this.store);
    this.#getters = new Getters(this.store, {
      holds: (consumer, queue, ids) => this.#note(consumer, queue, { ids, leases: [] }),
      leasing: (consumer, queue, leases) => {
        // Bound at once: when the ledger is begun anew, it says so of what is bound.
        this.#bind(consumer, queue, leases);
        this.#note(consumer, queue, { ids: [], leases });
      },
      giveBack: async (queue, leases) => {
        for (const lease of leases) this.#unbind(lease);
        await this.store.returnLeases(queue, leases);
      },
    });
    this.#joiners = new Joiners(this.store);
  }

  /**
   * Keeps what an earlier daemon gave to processes that live still, or may: they come back, and say what
   * they have consumed. What it gave to others is back. To be called before anybody joins.
   */
  async recover(): Promise<void> {
    for (const [holder, queues] of this.#ledger?.read() ?? []) {
      const consumer = this.enter();
      consumer.holder = holder;
      const mayLive = stateOf(holder) !== 'gone';
      for (const [queue, { ids, leases }] of queues) {
        if (mayLive) consumer.hold(queue, await this.store.takeThese(queue, ids));
        this.#bind(consumer, queue, [...leases]);
      }
      if (mayLive) this.#absent.set(holder, consumer);
      else await this.leave(consumer);
    }
    this.#ledger?.rewrite(this.#given());
    if (this.#absent.size > 0) this.#awaitAbsent();
  }

  /** The consumer is this process (holder.ts): if it is one that was here before, it has again what it held. */
  identify(consumer: Consumer, holder: string): void {
    if (this.#ledger === undefined) return;
    consumer.holder = holder;
    const former = this.#absent.get(holder);
    if (former === undefined) return;
    this.#absent.delete(holder);
    this.#consumers.delete(former);
    for (const [queue, ids] of former.takeHolds()) consumer.hold(queue, ids);
    for (const [lease, queue] of former.takeLeases()) {
      consumer.unclaimed.set(lease, queue);
      this.#bound.delete(lease);
    }
    consumer.isBack = true;
  }

  enter(): Consumer {
    const consumer = new Consumer(new Presence(this.#present));
    this.#consumers.add(consumer);
    return consumer;
  }

  /** The consumer's connection has ended: it waits no longer, and what it held is back. */
  async leave(consumer: Consumer): Promise<void> {
    consumer.gone = true;
    consumer.end();
    // Whatever ends after that has come to the next daemon, as after a crash.
    if (this.#hasEnded) return;
    this.#consumers.delete(consumer);
    if (consumer.holder !== undefined) this.#ledger?.through(consumer.holder);
    await this.#takeBack(consumer);
  }

  /** @see Putters.put */
  async put(
    consumer: Consumer,
    queue: string,
    messages: Packed,
    options: PutOptions,
    timeout: number,
  ): Promise<number> {
    if (this.#stopped) return this.#putters.refuse({ messages, options, stored: 0 }, this.#stopped);
    this.#check(consumer);
    const stored = await this.#putters.put(queue, messages, options, consumer.ended ? 0 : timeout, consumer);
    this.#meter.count(queue, 'put', stored);
    if (options.done) this.#settled(options.done.queue, [options.done.lease], 'done');
    return stored;
  }

  /** @see Getters.get */
  async get(consumer: Consumer, queues: readonly string[], options: GetOptions): Promise<Taken | undefined> {
    this.#check(consumer);
    if (consumer.isBack) await this.#settleAccounts(consumer);
    const taken = await this.#getters.get(
      queues,
      consumer.ended ? { ...options, timeout: 0 } : options,
      consumer,
    );
    if (taken) await this.#checkLarge(consumer, taken);
    return taken;
  }

  /** @see Joiners.join */
  async join(consumer: Consumer, queue: string, timeout: number): Promise<boolean> {
    this.#check(consumer);
    return this.#joiners.join(queue, consumer.ended ? 0 : timeout, consumer);
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
   * @param binding whether the leases end with the consumer's connection from now on, or with none;
   *   undefined: as before
   * @see Store.extend
   */
  async extend(
    consumer: Consumer,
    queue: string,
    leases: readonly string[],
    duration: number,
    binding: 'hold' | 'free' | undefined,
  ): Promise<void> {
    await this.store.extend(queue, leases, duration);
    if (binding === undefined) return;
    for (const lease of leases) {
      this.#unbind(lease);
      consumer.unclaimed.delete(lease);
    }
    if (binding === 'hold') {
      this.#bind(consumer, queue, leases);
      this.#note(consumer, queue, { ids: [], leases });
    } else if (consumer.holder !== undefined) this.#ledger?.freed(consumer.holder, queue, leases);
  }

  /**
   * Messages have been consumed: those that the consumer holds, and those that are waiting and
   * that it held when an earlier daemon died.
   * @returns how many are done by this
   */
  async done(consumer: Consumer, queue: string, ids: readonly Range[]): Promise<number> {
    const held = ids.flatMap((range) => consumer.unhold(queue, range));
    const settling: Settling = { holder: consumer.holder, queue, ids: held };
    this.#settling.add(settling);
    const missing = consumer.holder !== undefined && sizeOf(ids) > sizeOf(held);
    const found = missing ? [...held, ...(await this.store.takeThese(queue, ids))] : held;
    settling.ids = found;
    try {
      await this.store.settle(queue, found, 'done');
    } catch (error) {
      // Not recorded, so not done: the consumer can say so again, or let go.
      if (consumer.gone) await this.store.settle(queue, found, 'returned');
      else consumer.hold(queue, found);
      throw error;
    } finally {
      this.#settling.delete(settling);
    }
    this.#meter.count(queue, 'done', sizeOf(found));
    return sizeOf(found);
  }

  /** What the consumer was given could not be handed over: it is back in its place. */
  async giveBack(consumer: Consumer, queue: string, ids: readonly Range[]): Promise<void> {
    const held = ids.flatMap((range) => consumer.unhold(queue, range));
    await this.store.settle(queue, held, 'returned');
  }

  /** Whether somebody holds messages. */
  get areHeld(): boolean {
    return [...this.#consumers].some(({ hasAny }) => hasAny);
  }

  /** How many wait for messages of this queue, or hold some. */
  consumersOf({ name }: QueueState): number {
    return this.#present.get(name) ?? 0;
  }

  /** @see Meter.rates */
  ratesOf({ name }: QueueState): { put: number; done: number } {
    return this.#meter.rates(name);
  }

  /** Sends away everybody who waits, now and from now on. */
  stop(error: MqError): void {
    this.#stopped = error;
    this.#getters.stop(error);
    this.#putters.stop(error);
    this.#joiners.stop(error);
  }

  /** Ends the record of who holds what: what is held or bound now is so for the next daemon. */
  end(): void {
    this.#hasEnded = true;
    clearInterval(this.#absentTimer);
    this.#alarm.clear();
    this.#ledger?.close();
  }

  #ring(late: number): void {
    if (late > STANDSTILL) this.#alarm.set(this.store.now() + GRACE);
    else void this.#elapse();
  }

  /** @throws MqError DAMAGED when it was given what cannot be read; then it has been given nothing */
  async #checkLarge(consumer: Consumer, { queue, runs }: Taken): Promise<void> {
    try {
      await checkLarge(runs);
    } catch (error) {
      const leases = tokensOf(runs);
      for (const lease of leases) this.#unbind(lease);
      if (leases.length > 0) await this.store.returnLeases(queue, leases);
      else await this.giveBack(consumer, queue, runs.map(rangeOf));
      throw error;
    }
  }

  async #elapse(): Promise<void> {
    try {
      await this.store.elapse();
    } catch (error) {
      this.#failed(error);
      this.#alarm.set(this.store.now() + TRY_AGAIN);
    }
  }

  /** It has said what it consumed and what it works on, and asks for more: the rest is not its. */
  async #settleAccounts(consumer: Consumer): Promise<void> {
    consumer.isBack = false;
    const claimed = consumer.takeLeases();
    await this.#takeBack(consumer);
    for (const [lease, queue] of claimed) this.#bind(consumer, queue, [lease]);
    this.#ledger?.rewrite(this.#given());
  }

  /** What the consumer has is back in its place. */
  async #takeBack(consumer: Consumer): Promise<void> {
    const leases = new Map<string, string[]>();
    for (const [lease, queue] of [...consumer.takeLeases(), ...consumer.unclaimed]) {
      this.#bound.delete(lease);
      const others = leases.get(queue);
      if (others) others.push(lease);
      else leases.set(queue, [lease]);
    }
    consumer.unclaimed.clear();
    await Promise.all([
      ...consumer.takeHolds().map(([queue, ids]) => this.store.settle(queue, ids, 'returned')),
      ...[...leases].map(([queue, these]) => this.store.returnLeases(queue, these)),
    ]);
  }

  #settled(queue: string, leases: readonly string[], outcome: Outcome | 'failed'): void {
    for (const lease of leases) this.#unbind(lease);
    if (outcome === 'done') this.#meter.count(queue, 'done', leases.length);
  }

  #bind(consumer: Consumer, queue: string, leases: readonly string[]): void {
    consumer.bind(queue, leases);
    for (const lease of leases) this.#bound.set(lease, consumer);
  }

  #unbind(lease: string): void {
    this.#bound.get(lease)?.unbind(lease);
    this.#bound.delete(lease);
  }

  /** So that a daemon after this one knows. */
  #note({ holder }: Consumer, queue: string, given: Given): void {
    if (holder === undefined || this.#ledger === undefined) return;
    this.#ledger.given(holder, queue, given);
    if (this.#ledger.size > LEDGER_LIMIT) this.#ledger.rewrite(this.#given());
  }

  *#given(): Generator<[holder: string, queue: string, given: Given]> {
    for (const consumer of this.#consumers) {
      const { holder } = consumer;
      if (holder === undefined) continue;
      for (const [queue, ids] of consumer.holds()) yield [holder, queue, { ids, leases: [] }];
      for (const [lease, queue] of [...consumer.leases(), ...consumer.unclaimed])
        yield [holder, queue, { ids: [], leases: [lease] }];
    }
    // The daemon may be killed before this is recorded, and then they are its still.
    for (const { holder, queue, ids } of this.#settling)
      if (holder !== undefined) yield [holder, queue, { ids, leases: [] }];
  }

  /** Processes that have died meanwhile do not come back. */
  #awaitAbsent(): void {
    this.#awaitedUntil = this.store.now() + MOST_ABSENCE;
    this.#absentTimer = setInterval(() => {
      for (const [holder, consumer] of this.#absent) {
        const state = stateOf(holder);
        if (state === 'living' || (state === 'unknown' && this.store.now() < this.#awaitedUntil)) continue;
        this.#absent.delete(holder);
        this.leave(consumer).catch(this.#failed);
      }
      if (this.#absent.size === 0) clearInterval(this.#absentTimer);
    }, LOOK_EVERY).unref();
  }

  #check(consumer: Consumer): void {
    if (this.#stopped) throw this.#stopped;
    if (consumer.gone) throw new MqError('INTERRUPTED', 'the connection ended');
  }
}

function sizeOf(ids: readonly Range[]): number {
  return ids.reduce((sum, { first, last }) => sum + last - first + 1, 0);
}
