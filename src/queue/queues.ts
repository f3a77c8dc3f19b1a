import { MqError } from '../errors.ts';
import type { Packed } from '../packed.ts';
import type { OnChange, PutOptions, QueueState, Range, Store, TakeLimit } from '../store/store.ts';
import { Consumer } from './consumer.ts';
import { Getters, type Taken } from './getters.ts';
import { holderOf, isLiving, type Ledger } from './ledger.ts';
import { Putters } from './putters.ts';

/** The ledger is begun anew when it is larger, in bytes. */
const LEDGER_LIMIT = 1024 * 1024;

/** How often it is looked whether the absent live, in ms. */
const LOOK_EVERY = 200;

/**
 * The queues as those see them who put and get: who waits, who is next, who holds what. What is
 * true of the messages only the store knows; `store` serves all that needs no waiting.
 */
export class Queues {
  readonly store: Store;
  readonly #putters: Putters;
  readonly #getters: Getters;
  readonly #consumers = new Set<Consumer>();
  readonly #ledger: Ledger | undefined;
  /** Those who held messages when an earlier daemon died, and are not back. */
  readonly #absent = new Map<string, Consumer>();
  #absentTimer: NodeJS.Timeout | undefined;
  #stopped: MqError | undefined;

  constructor(openStore: (onChange: OnChange) => Store, ledger?: Ledger) {
    this.#ledger = ledger;
    this.store = openStore((queue) => {
      this.#putters.wake(queue);
      this.#getters.wake(queue);
    });
    this.#putters = new Putters(this.store);
    this.#getters = new Getters(this.store, (consumer, queue, ids) => this.#note(consumer, queue, ids));
  }

  /**
   * Keeps what an earlier daemon gave to processes that live still: they come back, and say what
   * they have consumed. To be called before anybody joins.
   */
  async recover(): Promise<void> {
    for (const [holder, queues] of this.#ledger?.read() ?? []) {
      const consumer = this.join();
      consumer.holder = holder;
      for (const [queue, ids] of queues) consumer.hold(queue, await this.store.takeThese(queue, ids));
      this.#absent.set(holder, consumer);
    }
    this.#ledger?.rewrite(this.#held());
    if (this.#absent.size > 0) this.#awaitAbsent();
  }

  /** The consumer is this process: if it is one that was here before, it has again what it held. */
  identify(consumer: Consumer, pid: number): void {
    const holder = this.#ledger && holderOf(pid);
    if (holder === undefined) return;
    consumer.holder = holder;
    const former = this.#absent.get(holder);
    if (former === undefined) return;
    this.#absent.delete(holder);
    this.#consumers.delete(former);
    for (const [queue, ids] of former.takeHolds()) consumer.hold(queue, ids);
    consumer.isBack = true;
  }

  join(): Consumer {
    const consumer = new Consumer();
    this.#consumers.add(consumer);
    return consumer;
  }

  /** The consumer's connection has ended: it waits no longer, and what it held is back. */
  async leave(consumer: Consumer): Promise<void> {
    consumer.gone = true;
    consumer.end();
    this.#consumers.delete(consumer);
    if (consumer.holder !== undefined) this.#ledger?.through(consumer.holder);
    await Promise.all(consumer.takeHolds().map(([queue, ids]) => this.store.settle(queue, ids, 'returned')));
  }

  /** @see Putters.put */
  async put(
    consumer: Consumer,
    queue: string,
    messages: Packed,
    options: PutOptions,
    timeout: number,
  ): Promise<number> {
    this.#check(consumer);
    return this.#putters.put(queue, messages, options, consumer.ended ? 0 : timeout, consumer);
  }

  /** @see Getters.get */
  async get(
    consumer: Consumer,
    queues: readonly string[],
    limit: TakeLimit,
    timeout: number,
  ): Promise<Taken | undefined> {
    this.#check(consumer);
    if (consumer.isBack) await this.#settleAccounts(consumer);
    return this.#getters.get(queues, limit, consumer.ended ? 0 : timeout, consumer);
  }

  /**
   * Messages have been consumed: those that the consumer holds, and those that are waiting and
   * that it held when an earlier daemon died.
   * @returns how many are done by this
   */
  async done(consumer: Consumer, queue: string, ids: readonly Range[]): Promise<number> {
    const held = ids.flatMap((range) => consumer.unhold(queue, range));
    const missing = consumer.holder !== undefined && sizeOf(ids) > sizeOf(held);
    const found = missing ? [...held, ...(await this.store.takeThese(queue, ids))] : held;
    try {
      await this.store.settle(queue, found, 'done');
    } catch (error) {
      // Not recorded, so not done: the consumer can say so again, or let go.
      if (consumer.gone) await this.store.settle(queue, found, 'returned');
      else consumer.hold(queue, found);
      throw error;
    }
    return sizeOf(found);
  }

  /** What the consumer was given could not be handed over: it is back in its place. */
  async giveBack(consumer: Consumer, queue: string, ids: readonly Range[]): Promise<void> {
    const held = ids.flatMap((range) => consumer.unhold(queue, range));
    await this.store.settle(queue, held, 'returned');
  }

  /** Whether somebody holds messages. */
  get areHeld(): boolean {
    return [...this.#consumers].some(({ holdsAny }) => holdsAny);
  }

  /** How many wait for messages of this queue, or hold some. */
  consumersOf({ name }: QueueState): number {
    let count = 0;
    for (const consumer of this.#consumers)
      if (consumer.waitsOn.has(name) || consumer.holdsOf(name)) count += 1;
    return count;
  }

  /** Sends away everybody who waits, now and from now on. */
  stop(error: MqError): void {
    this.#stopped = error;
    this.#getters.stop(error);
    this.#putters.stop(error);
  }

  /** Ends the record of who holds what. */
  end(): void {
    clearInterval(this.#absentTimer);
    this.#ledger?.close();
  }

  /** It has said what it consumed and asks for more: the rest of what it held it has not. */
  async #settleAccounts(consumer: Consumer): Promise<void> {
    consumer.isBack = false;
    await Promise.all(consumer.takeHolds().map(([queue, ids]) => this.store.settle(queue, ids, 'returned')));
    this.#ledger?.rewrite(this.#held());
  }

  #note({ holder }: Consumer, queue: string, ids: readonly Range[]): void {
    if (holder === undefined || this.#ledger === undefined) return;
    this.#ledger.given(holder, queue, ids);
    if (this.#ledger.size > LEDGER_LIMIT) this.#ledger.rewrite(this.#held());
  }

  *#held(): Generator<[holder: string, queue: string, ids: readonly Range[]]> {
    for (const consumer of this.#consumers) {
      if (consumer.holder === undefined) continue;
      for (const [queue, ids] of consumer.holds()) yield [consumer.holder, queue, ids];
    }
  }

  /** Those who have died meanwhile do not come back. */
  #awaitAbsent(): void {
    this.#absentTimer = setInterval(() => {
      for (const [holder, consumer] of this.#absent) {
        if (isLiving(holder)) continue;
        this.#absent.delete(holder);
        this.leave(consumer).catch((error) => this.#ledger?.failed(error));
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
