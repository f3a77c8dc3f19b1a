import type { Once } from '../../once.ts';
import { othersTurn } from '../../others-turn.ts';
import type { Range } from '../../range.ts';
import type { Binding, Outcome } from '../store.ts';
import type { Announcer } from './announcer.ts';
import { HELD, LEASED } from './batch.ts';
import { type LongSteps, MANY_LEASES } from './long-steps.ts';
import { CLOSED_NOW } from './queue-counts.ts';
import type { Reservations } from './reservations.ts';
import type { Steps, StepsContext } from './steps.ts';
import type { StoreClock } from './store-clock.ts';
import type { StoreFile } from './store-file.ts';
import type { StoredQueues } from './stored-queues.ts';
import { aTurn } from './turn.ts';

/** The most ranges of held messages that are looked at in one step. */
const MOST_RANGES = 500;

/** Ends holds and leases. */
export class Settles {
  readonly #file: StoreFile;
  readonly #reservations: Reservations;
  readonly #long: LongSteps;
  readonly #queues: StoredQueues;
  readonly #announcer: Announcer;
  readonly #clock: StoreClock;
  readonly #steps: Steps;

  constructor(
    file: StoreFile,
    reservations: Reservations,
    long: LongSteps,
    { queues, announcer, clock }: StepsContext,
    steps: Steps,
  ) {
    this.#file = file;
    this.#reservations = reservations;
    this.#long = long;
    this.#queues = queues;
    this.#announcer = announcer;
    this.#clock = clock;
    this.#steps = steps;
  }

  /** @see Store.settle */
  async settle(name: string, ids: readonly Range[], outcome: Outcome, owner?: string): Promise<void> {
    if (outcome === 'returned') await this.#release(name, ids);
    for (let rest = outcome === 'done' ? ids : []; rest.length > 0; ) {
      rest = await this.#file.write(() => {
        const queue = this.#queues.find(name);
        if (queue === undefined) return [];
        this.#queues.touch(queue);
        const done = queue.finish(rest, [HELD], aTurn());
        queue.row.got += done.count;
        queue.row.done += done.count;
        return done.rest;
      });
    }
    this.#reservations.settled(owner, name, ids);
  }

  /** @see Store.settleLeases */
  async settleLeases(
    name: string,
    leases: readonly string[],
    outcome: Outcome | 'failed',
    delay?: number,
    once?: Once,
  ): Promise<number> {
    const dead = await this.#long.withLeases(name, leases, once, (queue, messages) => {
      const { dead } = queue.row;
      if (outcome === 'done') this.#steps.finish(queue, messages);
      else if (outcome === 'returned') this.#steps.comeBack(queue, messages, LEASED);
      else for (const message of messages) this.#steps.fail(queue, message, delay);
      return queue.row.dead - dead;
    });
    this.#reservations.settledLeases(leases);
    return dead;
  }

  /** @see Store.returnLeases */
  async returnLeases(name: string, leases: readonly string[]): Promise<void> {
    const giveBack = (some: readonly string[]) => {
      const queue = this.#queues.find(name);
      if (queue) this.#steps.comeBack(queue, queue.findLeases(some), LEASED);
    };
    for (let at = 0; at < leases.length; at += MANY_LEASES)
      await this.#file.write(() => giveBack(leases.slice(at, at + MANY_LEASES)));
    this.#reservations.settledLeases(leases);
  }

  /** @see Store.extend */
  async extend(name: string, leases: readonly string[], duration: number, binding?: Binding): Promise<void> {
    const until = this.#clock.now() + duration;
    await this.#long.withLeases(name, leases, undefined, (queue, messages) => {
      for (const message of messages) queue.extend(message, until);
      this.#announcer.dueAt(until);
      return 0;
    });
    if (binding) this.#reservations.rebound(binding.owner, name, leases);
  }

  async #release(name: string, ids: readonly Range[]): Promise<void> {
    for (let rest = ids; rest.length > 0; ) {
      const some = rest.slice(0, MOST_RANGES);
      const left = await this.#releaseSome(name, some);
      rest = [...left, ...rest.slice(some.length)];
      if (rest.length > 0) await othersTurn();
    }
  }

  /** @returns the leases that are left to settle */
  #releaseSome(name: string, ids: readonly Range[]): Promise<Range[]> {
    const isDropped = () => {
      const queue = this.#queues.inUse(name);
      return queue?.row.closed === CLOSED_NOW || queue?.areExpired(ids, this.#clock.now());
    };
    // Earlier steps may close the queue or open it, so it is looked at again then.
    const run = () => {
      const queue = this.#queues.inUse(name);
      if (queue === undefined) return [];
      const { changed, rest } = queue.release(ids, aTurn());
      if (isDropped()) this.#steps.drop(queue, changed);
      this.#announcer.changed(name);
      return rest;
    };
    return isDropped() ? this.#file.write(run) : this.#file.read(run);
  }
}
