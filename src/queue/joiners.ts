import { MqError } from '../errors.ts';
import { unfinished } from '../store/queue-state.ts';
import type { Store } from '../store/store.ts';
import { after, type Timer } from '../timer.ts';
import type { LookAgain } from './look-again.ts';
import type { Owner } from './owner.ts';

interface Joiner {
  queue: string;
  finish: (result: boolean | MqError) => void;
}

/** Joins, which wait until nothing in a queue is unfinished. */
export class Joiners {
  readonly #store: Store;
  readonly #lines = new Map<string, Set<Joiner>>();
  /** Queues that are about to be looked at. */
  readonly #woken = new Set<string>();
  /** Queues that are being given other names: they are looked at after that. */
  readonly #renaming = new Set<string>();
  readonly #again: LookAgain;

  constructor(store: Store, lookAgain: (look: (queue: string) => void) => LookAgain) {
    this.#store = store;
    this.#again = lookAgain((queue) => this.wake(queue));
  }

  /**
   * Waits at most `timeout` ms.
   * @returns whether nothing is unfinished, or the queue was closed for good
   * @throws MqError NOQUEUE, INTERRUPTED, STOPPED
   */
  join(queue: string, timeout: number, owner: Owner): Promise<boolean> {
    return new Promise((resolve, reject) => {
      let timer: Timer | undefined;
      const cancel = () => joiner.finish(new MqError('INTERRUPTED', 'the connection ended'));
      const joiner: Joiner = {
        queue,
        finish: (result) => {
          timer?.clear();
          owner.offEnd(cancel);
          this.#withdraw(joiner);
          if (result instanceof MqError) reject(result);
          else resolve(result);
        },
      };
      owner.onEnd(cancel);
      this.#enlist(joiner);
      void this.#look(queue).then(() => {
        if (!this.#lines.get(joiner.queue)?.has(joiner)) return;
        if (timeout === 0) return joiner.finish(false);
        if (timeout !== Infinity) timer = after(timeout, () => joiner.finish(false));
        this.#again.begin(joiner.queue);
      });
    });
  }

  /** The queue has changed: the last message may be done. */
  wake(queue: string): void {
    if (!this.#lines.has(queue) || this.#woken.has(queue)) return;
    // Looked at once, however many steps of one turn have changed the queue.
    this.#woken.add(queue);
    queueMicrotask(() => {
      this.#woken.delete(queue);
      void this.#look(queue);
    });
  }

  /** Gives a queue another name, by `step`: those who wait go with it. */
  async rename(queue: string, to: string, step: () => Promise<void>): Promise<void> {
    this.#renaming.add(queue);
    try {
      await step();
      for (const joiner of [...(this.#lines.get(queue) ?? [])]) {
        this.#withdraw(joiner);
        joiner.queue = to;
        this.#enlist(joiner);
        this.#again.begin(to);
      }
    } finally {
      this.#renaming.delete(queue);
      this.wake(queue);
    }
  }

  /** Ends all waits with this error. */
  stop(error: MqError): void {
    for (const queue of [...this.#lines.keys()]) this.#finish(queue, error);
  }

  async #look(queue: string): Promise<void> {
    try {
      const state = await this.#store.stat(queue);
      if (this.#renaming.has(queue)) return;
      if (state === undefined) this.#finish(queue, new MqError('NOQUEUE', `there is no queue ${queue}`));
      else if (unfinished(state) === 0 || state.closed === 'now') this.#finish(queue, true);
    } catch (cause) {
      this.#finish(
        queue,
        cause instanceof MqError ? cause : new MqError('INTERNAL', 'the store failed', { cause }),
      );
    }
  }

  #finish(queue: string, result: boolean | MqError): void {
    for (const joiner of [...(this.#lines.get(queue) ?? [])]) joiner.finish(result);
  }

  #enlist(joiner: Joiner): void {
    const line = this.#lines.get(joiner.queue);
    if (line) line.add(joiner);
    else this.#lines.set(joiner.queue, new Set([joiner]));
  }

  #withdraw(joiner: Joiner): void {
    const { queue } = joiner;
    const line = this.#lines.get(queue);
    line?.delete(joiner);
    if (line?.size !== 0) return;
    this.#lines.delete(queue);
    this.#again.end(queue);
  }
}
