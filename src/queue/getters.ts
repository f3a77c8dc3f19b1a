import { now } from '../clock.ts';
import { MqError } from '../errors.ts';
import { sizeOf } from '../packed.ts';
import { type Run, rangeOf, tokensOf } from '../store/run.ts';
import type { Store, TakeLimit, TakeResult } from '../store/store.ts';
import { after, type Timer } from '../timer.ts';
import type { Until } from '../until.ts';
import type { LookAgain } from './look-again.ts';
import type { Owner } from './owner.ts';
import { Turns } from './turns.ts';

/** The options of a get. */
export interface GetOptions {
  limit: TakeLimit;
  /** Milliseconds of waiting; Infinity: no limit. */
  timeout: number;
  /** A lease instead of a hold, and its milliseconds. `isBound`: it ends with the connection. */
  lease?: { duration: number; isBound: boolean } | undefined;
  /** The state in which the get ends; undefined: drained. */
  until?: Until | undefined;
}

export interface GetEvents {
  /** An owner has these leases from now on, and they end with its connection. */
  leases(owner: Owner, queue: string, leases: readonly string[]): void;
  /** Messages that were taken for the owner cannot be handed over, because the get was given up. */
  giveBack(owner: Owner, queue: string, runs: readonly Run[]): Promise<void>;
}

/** The messages that a get was given, held for its owner or leased. */
export interface Taken {
  queue: string;
  runs: Run[];
  /** The time before the store was asked for leases, by `now` of clock.ts. */
  askedAt: number;
}

interface Getter {
  queues: readonly string[];
  options: GetOptions;
  owner: Owner;
  /** Queues of which messages wait, but no more may be leased. */
  limitedAt: Set<string>;
  /** Queues that nothing will come from, unless they change; each with whether it is drained. */
  ended: Map<string, boolean>;
  /** Ends the wait: with messages, without, or with an error. */
  finish: (result: Taken | undefined | MqError) => void;
  finished: boolean;
  /** Messages that it has been given so far; the rest follows when others have had their turn. */
  taken: Taken | undefined;
  /** @see Taken.askedAt */
  askedAt: number;
  /** The store is being asked for it, at one of its queues; at the others nothing is asked for it meanwhile. */
  asking: Promise<unknown> | undefined;
}

/**
 * Gets that wait for messages, in order of arrival at each queue. Each queue has its own turns, so that gets of other
 * queues do not wait for its store steps. A get of several queues has a turn at each, one after the other.
 */
export class Getters {
  readonly #store: Store;
  readonly #events: GetEvents;
  readonly #lines = new Map<string, Set<Getter>>();
  /**
   * A step at a queue has a turn, so that no get is overtaken or served twice. It waits for steps with earlier turns
   * only, so that no two wait for each other.
   */
  readonly #turns = new Turns();
  readonly #due = new Set<string>();
  readonly #again: LookAgain;

  constructor(store: Store, events: GetEvents, lookAgain: (look: (queue: string) => void) => LookAgain) {
    this.#store = store;
    this.#events = events;
    this.#again = lookAgain((queue) => this.wake(queue));
  }

  /**
   * The next messages of the first of the queues, in their order, that has any.
   * @returns undefined when none came in time, or nothing is unfinished and that ends the wait; no runs when all of
   *   the messages would be taken ahead, from a queue where none may be
   * @throws MqError CLOSED when there is nothing to wait for; INTERRUPTED, STOPPED, ...
   */
  get(queues: readonly string[], options: GetOptions, owner: Owner): Promise<Taken | undefined> {
    return new Promise((resolve, reject) => {
      const getter: Getter = {
        queues,
        options,
        owner,
        limitedAt: new Set(),
        ended: new Map(),
        finished: false,
        taken: undefined,
        askedAt: 0,
        asking: undefined,
        finish: () => {},
      };
      let timer: Timer | undefined;
      const cancel = () => getter.finish(new MqError('INTERRUPTED', 'the connection ended'));
      getter.finish = (result) => {
        if (getter.finished) return;
        getter.finished = true;
        timer?.clear();
        owner.offEnd(cancel);
        this.#withdraw(getter);
        if (!(result instanceof MqError)) return resolve(result ?? getter.taken);
        // Held messages are given back when its connection ends.
        const { queue = '', runs = [] } = getter.taken ?? {};
        if (options.lease === undefined || runs.length === 0) reject(result);
        else this.#events.giveBack(owner, queue, runs).then(() => reject(result), reject);
      };
      owner.onEnd(cancel);
      const { timeout } = options;
      const wait = () => {
        if (getter.finished || getter.taken) return;
        if (timeout === 0) return getter.finish(undefined);
        if (timeout !== Infinity) timer = after(timeout, () => getter.finish(undefined));
        for (const queue of queues) this.#again.begin(queue);
      };
      // Its turns at all queues are taken now, so that nobody who comes later has one before.
      let before: Promise<unknown> | undefined;
      for (const [i, queue] of queues.entries()) {
        const atOther = before;
        const step = async () => {
          if (atOther) await atOther;
          await this.#arrive(queue, getter);
          if (i === queues.length - 1) wait();
        };
        before = this.#turns.take(queue, step, reject);
      }
    });
  }

  /**
   * The message with this id, if it is waiting, whoever waits for others.
   * @returns no runs when no more may be leased
   */
  async getOne(
    queue: string,
    id: number,
    lease: GetOptions['lease'],
    owner: Owner,
  ): Promise<Taken | undefined> {
    const askedAt = now();
    const { runs, isLimited } = await this.#ask(queue, { count: 1, bytes: 1, id }, lease, owner);
    if (runs.length === 0) return isLimited ? { queue, runs, askedAt } : undefined;
    if (owner.gone) {
      await this.#events.giveBack(owner, queue, runs);
      throw new MqError('INTERRUPTED', 'the connection ended');
    }
    this.#keep(queue, runs, lease, owner);
    return { queue, runs, askedAt };
  }

  /** The queue has changed: a message may have come, or the end. */
  wake(queue: string): void {
    const line = this.#lines.get(queue);
    if (line === undefined || this.#due.has(queue)) return;
    this.#due.add(queue);
    for (const getter of line) getter.ended.delete(queue);
    const step = async () => {
      this.#due.delete(queue);
      await this.#handOut(queue);
    };
    void this.#turns.take(queue, step, () => {});
  }

  /** Ends all waits with this error. */
  stop(error: MqError): void {
    for (const line of [...this.#lines.values()]) for (const getter of [...line]) getter.finish(error);
  }

  async #arrive(queue: string, getter: Getter): Promise<void> {
    while (getter.asking) await getter.asking;
    if (getter.finished || getter.taken) return;
    // Where others wait, no message is left for this get, but it is told of an end.
    const limit = this.#isAwaited(queue, getter) ? NONE : getter.options.limit;
    // Before the store is asked, so that messages that come while it answers wake this get too.
    this.#enlist(queue, getter);
    const left = await this.#offer(queue, getter, limit);
    if (left) this.#judge(queue, left, getter);
  }

  async #handOut(queue: string): Promise<void> {
    let isLimited = false;
    for (const getter of this.#lines.get(queue) ?? []) {
      while (getter.asking) await getter.asking;
      if (getter.finished || getter.taken) continue;
      const { lease, limit } = getter.options;
      // One that would take ahead is told that it cannot.
      if (isLimited && lease && limit.atOnce !== 0) continue;
      const left = await this.#offer(queue, getter);
      if (left === undefined) continue;
      // There are messages for those who take them without a lease.
      isLimited ||= left.isLimited;
      if (left.isLimited) continue;
      // Nor is there a message for the gets behind, but there may be an end that this one does not wait for.
      if (left.drained || left.finished)
        for (const each of this.#lines.get(queue) ?? []) this.#judge(queue, left, each);
      return;
    }
  }

  /** @returns the state of the queue, when it had nothing to give */
  async #offer(queue: string, getter: Getter, limit = getter.options.limit): Promise<TakeResult | undefined> {
    const asking = this.#tryFor(queue, getter, limit);
    getter.asking = asking;
    try {
      return await asking;
    } finally {
      getter.asking = undefined;
    }
  }

  async #tryFor(queue: string, getter: Getter, limit: TakeLimit): Promise<TakeResult | undefined> {
    try {
      const taken = await this.#take(queue, limit, getter);
      if (taken.isLimited) getter.limitedAt.add(queue);
      else getter.limitedAt.delete(queue);
      if (taken.isLimited && limit.atOnce === 0) getter.finish({ queue, runs: [], askedAt: getter.askedAt });
      else if (taken.runs.length === 0) return taken;
      else await this.#give(queue, taken, getter, limit);
      return undefined;
    } catch (error) {
      getter.finish(
        error instanceof MqError ? error : new MqError('INTERNAL', 'the store failed', { cause: error }),
      );
      return undefined;
    }
  }

  /** Ends a wait when this was the last queue that something could come from. */
  #judge(queue: string, state: TakeResult, { queues, options, ended, taken, finish }: Getter): void {
    // A queue that changed while the store answered is judged in its own turn.
    if (taken || this.#due.has(queue) || !isEnded(state, options)) return;
    ended.set(queue, state.drained);
    if (ended.size < queues.length) return;
    const isDrained = [...ended.values()].every(Boolean);
    finish(isDrained ? new MqError('CLOSED', `queue ${queues.join(', ')} is closed`) : undefined);
  }

  #take(queue: string, limit: TakeLimit, getter: Getter): Promise<TakeResult> {
    const { options, owner, taken } = getter;
    if (options.lease && taken === undefined) getter.askedAt = now();
    return this.#ask(queue, limit, options.lease, owner);
  }

  #ask(queue: string, limit: TakeLimit, lease: GetOptions['lease'], owner: Owner): Promise<TakeResult> {
    if (lease === undefined) return this.#store.take(queue, limit, owner.holder);
    return this.#store.lease(queue, limit, lease.duration, lease.isBound ? owner.holder : undefined);
  }

  /** The owner has these messages, to hold or on lease. */
  #keep(queue: string, runs: readonly Run[], lease: GetOptions['lease'], owner: Owner): void {
    if (lease === undefined) owner.hold(queue, runs.map(rangeOf));
    else if (lease.isBound) this.#events.leases(owner, queue, tokensOf(runs));
  }

  async #give(queue: string, { runs, isPart }: TakeResult, getter: Getter, limit: TakeLimit): Promise<void> {
    const { owner, options, finished } = getter;
    // It was given up while the store was asked.
    if (finished) return this.#events.giveBack(owner, queue, runs);
    this.#keep(queue, runs, options.lease, owner);
    if (getter.taken) getter.taken.runs.push(...runs);
    else getter.taken = { queue, runs, askedAt: getter.askedAt };
    const left = leftOf(limit, runs);
    if (isPart && left.count > 0 && left.bytes > 0)
      setImmediate(() =>
        this.#turns.take(
          queue,
          () => this.#goOn(queue, getter, left),
          () => {},
        ),
      );
    else getter.finish(getter.taken);
  }

  /**
   * Whether a get waits that the messages are for, before this one. A get that is given parts leaves messages to
   * others, and so do those that may lease none, to a get without a lease.
   */
  #isAwaited(queue: string, getter: Getter): boolean {
    let isForLeases = false;
    let isLimited = false;
    for (const { taken, options, limitedAt } of this.#lines.get(queue) ?? []) {
      if (taken !== undefined) continue;
      if (getter.options.lease || !options.lease) return true;
      isForLeases = true;
      isLimited ||= limitedAt.has(queue);
    }
    return isForLeases && !isLimited;
  }

  /** Gives more to a get that has some messages of the queue. */
  async #goOn(queue: string, getter: Getter, limit: TakeLimit): Promise<void> {
    if (getter.finished) return;
    try {
      const taken = await this.#take(queue, limit, getter);
      if (taken.runs.length > 0) return await this.#give(queue, taken, getter, limit);
    } catch {
      // On an error the get has what came before.
    }
    getter.finish(getter.taken);
  }

  #enlist(queue: string, getter: Getter): void {
    const line = this.#lines.get(queue);
    if (line) line.add(getter);
    else this.#lines.set(queue, new Set([getter]));
    getter.owner.wait(queue);
  }

  #withdraw(getter: Getter): void {
    for (const queue of getter.queues) {
      const line = this.#lines.get(queue);
      line?.delete(getter);
      if (line?.size === 0) {
        this.#lines.delete(queue);
        this.#again.end(queue);
      }
      getter.owner.waitNoMore(queue);
    }
  }
}

const NONE: TakeLimit = { count: 0, bytes: 0 };

/** The limit that is left after these messages. */
function leftOf({ count, bytes, atOnce = count }: TakeLimit, runs: readonly Run[]): TakeLimit {
  const left = { count, bytes, atOnce };
  for (const { messages } of runs) {
    left.count -= messages.count;
    left.atOnce -= messages.count;
    left.bytes -= sizeOf(messages);
  }
  return left;
}

function isEnded({ drained, finished }: TakeResult, { until }: GetOptions): boolean {
  if (until === 'idle') return finished;
  return until === 'finished' ? drained && finished : drained;
}
