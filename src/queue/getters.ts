import { MqError } from '../errors.ts';
import { type Range, type Run, rangeOf, type Store, type TakeLimit } from '../store/store.ts';
import type { Consumer } from './consumer.ts';
import { Ranges } from './ranges.ts';

/** What a get was given: it is held for its consumer. */
export interface Taken {
  queue: string;
  runs: Run[];
}

interface Getter {
  queues: readonly string[];
  limit: TakeLimit;
  consumer: Consumer;
  /** Those of its queues that are closed and drained, as far as it was told. */
  drained: Set<string>;
  /** Ends the wait: with messages, without, or with an error. */
  finish: (result: Taken | undefined | MqError) => void;
  finished: boolean;
}

/** Those who wait for messages, in order of arrival for each queue. */
export class Getters {
  readonly #store: Store;
  readonly #onGiven: (consumer: Consumer, queue: string, ids: readonly Range[]) => void;
  readonly #lines = new Map<string, Set<Getter>>();
  /** What is handed out is handed out by one at a time, so nobody is overtaken or served twice. */
  #turn: Promise<unknown> = Promise.resolve();
  readonly #due = new Set<string>();

  /** @param onGiven told of messages that a consumer holds from now on */
  constructor(store: Store, onGiven: (consumer: Consumer, queue: string, ids: readonly Range[]) => void) {
    this.#store = store;
    this.#onGiven = onGiven;
  }

  /**
   * The next messages of the first of the queues, in their order, that has any; waits at most
   * `timeout` ms for them.
   * @returns undefined when none came in time
   * @throws MqError CLOSED when all the queues are closed and drained; INTERRUPTED, STOPPED, ...
   */
  get(
    queues: readonly string[],
    limit: TakeLimit,
    timeout: number,
    consumer: Consumer,
  ): Promise<Taken | undefined> {
    return new Promise((resolve, reject) => {
      const getter: Getter = {
        queues,
        limit,
        consumer,
        drained: new Set(),
        finished: false,
        finish: () => {},
      };
      let timer: NodeJS.Timeout | undefined;
      const cancel = () => getter.finish(new MqError('INTERRUPTED', 'the connection ended'));
      getter.finish = (result) => {
        if (getter.finished) return;
        getter.finished = true;
        clearTimeout(timer);
        consumer.offEnd(cancel);
        this.#withdraw(getter);
        if (result instanceof MqError) reject(result);
        else resolve(result);
      };
      consumer.onEnd(cancel);
      this.#inTurn(async () => {
        if (getter.finished) return;
        // Where others wait already nothing is left for this one, but it is told of an end.
        const limits = queues.map((queue) => (this.#lines.has(queue) ? { count: 0, bytes: 0 } : limit));
        // Before the store is asked: what comes while it answers wakes this one too.
        this.#enlist(getter);
        for (const [i, queue] of queues.entries()) {
          if (!getter.finished) await this.#offer(queue, getter, limits[i]);
        }
        if (getter.finished) return;
        if (timeout === 0) getter.finish(undefined);
        else if (timeout !== Infinity) timer = setTimeout(() => getter.finish(undefined), timeout);
      }, reject);
    });
  }

  /** A message may have come, or the end. */
  wake(queue: string): void {
    if (!this.#lines.has(queue) || this.#due.has(queue)) return;
    this.#due.add(queue);
    this.#inTurn(async () => {
      this.#due.delete(queue);
      await this.#handOut(queue);
    });
  }

  /** Sends everybody away. */
  stop(error: MqError): void {
    for (const line of [...this.#lines.values()]) for (const getter of [...line]) getter.finish(error);
  }

  async #handOut(queue: string): Promise<void> {
    for (const getter of [...(this.#lines.get(queue) ?? [])]) {
      if (getter.finished) continue;
      const went = await this.#offer(queue, getter);
      if (went === 'nothing') return;
    }
  }

  async #offer(
    queue: string,
    getter: Getter,
    limit = getter.limit,
  ): Promise<'served' | 'drained' | 'nothing'> {
    let taken: Awaited<ReturnType<Store['take']>>;
    try {
      taken = await this.#store.take(queue, limit);
    } catch (error) {
      getter.finish(
        error instanceof MqError ? error : new MqError('INTERNAL', 'the store failed', { cause: error }),
      );
      return 'served';
    }
    const { runs, drained } = taken;
    if (runs.length > 0) {
      await this.#give(queue, runs, getter);
      return 'served';
    }
    if (!drained) {
      getter.drained.delete(queue);
      return 'nothing';
    }
    getter.drained.add(queue);
    if (getter.drained.size === getter.queues.length) {
      getter.finish(new MqError('CLOSED', `queue ${getter.queues.join(', ')} is closed`));
    }
    return 'drained';
  }

  async #give(queue: string, runs: Run[], getter: Getter): Promise<void> {
    const ranges = new Ranges();
    for (const run of runs) ranges.add(rangeOf(run));
    const ids = ranges.all;
    if (getter.finished) {
      // It gave up while the store was asked.
      await this.#store.settle(queue, ids, 'returned');
      return;
    }
    getter.consumer.hold(queue, ids);
    this.#onGiven(getter.consumer, queue, ids);
    getter.finish({ queue, runs });
  }

  #enlist(getter: Getter): void {
    for (const queue of getter.queues) {
      const line = this.#lines.get(queue);
      if (line) line.add(getter);
      else this.#lines.set(queue, new Set([getter]));
      getter.consumer.waitsOn.add(queue);
    }
  }

  #withdraw(getter: Getter): void {
    for (const queue of getter.queues) {
      const line = this.#lines.get(queue);
      line?.delete(getter);
      if (line?.size === 0) this.#lines.delete(queue);
      getter.consumer.waitsOn.delete(queue);
    }
  }

  #inTurn(run: () => Promise<void>, failed: (error: unknown) => void = () => {}): void {
    this.#turn = this.#turn.then(run).catch(failed);
  }
}
