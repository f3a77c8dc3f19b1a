import { othersTurn } from '../../others-turn.ts';
import { sizeOf } from '../../packed.ts';
import { type Run, tokensOf } from '../run.ts';
import type { TakeLimit, TakeResult } from '../store.ts';
import type { Announcer } from './announcer.ts';
import type { StepsContext } from './steps.ts';
import type { StoreClock } from './store-clock.ts';
import type { StoreFile } from './store-file.ts';
import type { StoredQueue } from './stored-queue.ts';
import type { StoredQueues } from './stored-queues.ts';
import type { OrderKey } from './tables/table-rows.ts';
import { aTurn } from './turn.ts';

const NONE: TakeLimit = { count: 0, bytes: 0 };
const ONE: TakeLimit = { count: 1, bytes: 1 };

/** Takes messages, to hold or on lease, and looks at them. */
export class Takes {
  readonly #file: StoreFile;
  readonly #queues: StoredQueues;
  readonly #announcer: Announcer;
  readonly #clock: StoreClock;

  constructor(file: StoreFile, { queues, announcer, clock }: StepsContext) {
    this.#file = file;
    this.#queues = queues;
    this.#announcer = announcer;
    this.#clock = clock;
  }

  /** @see Store.take */
  take(name: string, limit: TakeLimit): Promise<TakeResult> {
    return this.#file.read(() =>
      this.#take(name, limit, (queue) => queue.hold(limit, this.#clock.now(), aTurn())),
    );
  }

  /** @see Store.lease */
  lease(
    name: string,
    limit: TakeLimit,
    duration: number,
    beforeCommit?: (tokens: readonly string[]) => void,
  ): Promise<TakeResult> {
    return this.#file.checked(() => {
      // If nothing waits, as most often when somebody is about to wait, nothing is written.
      if (this.#file.isIdle && this.#next(name).length === 0) return this.take(name, NONE);
      return this.#file.write(() => {
        const now = this.#clock.now();
        this.#announcer.dueAt(now + duration);
        const taken = this.#take(name, limit, (queue) => {
          this.#queues.touch(queue);
          return queue.lease(limit, now, duration, aTurn());
        });
        if (taken.runs.length > 0) beforeCommit?.(tokensOf(taken.runs));
        return taken;
      });
    });
  }

  /** @see Store.peek */
  async peek(name: string, limit: TakeLimit): Promise<Run[]> {
    const all: Run[] = [];
    const left = { ...limit };
    let from: OrderKey | undefined;
    for (;;) {
      const { runs, next } = await this.#file.read(() =>
        this.#queues.get(name).peek(left, this.#clock.now(), aTurn(), from),
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

  #take(
    name: string,
    limit: TakeLimit,
    take: (queue: StoredQueue) => { runs: Run[]; isPart: boolean },
  ): TakeResult {
    const queue = this.#queues.find(name);
    if (queue === undefined) return { runs: [], isPart: false, drained: false, finished: true };
    if (limit.count > 0 && queue.counts.waiting > 0) this.#file.room.checkTake();
    const taken = take(queue);
    if (taken.runs.length > 0) this.#announcer.changed(name);
    return { ...taken, drained: queue.closed && queue.counts.pending === 0, finished: queue.row.size === 0 };
  }

  #next(name: string): Run[] {
    return this.#queues.find(name)?.peek(ONE, this.#clock.now()).runs ?? [];
  }
}
