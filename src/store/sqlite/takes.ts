import { othersTurn } from '../../others-turn.ts';
import { sizeOf } from '../../packed.ts';
import type { Range } from '../../range.ts';
import { Ranges } from '../../ranges.ts';
import { leasable } from '../rules.ts';
import { type Run, rangeOf, tokensOf } from '../run.ts';
import type { TakeLimit, TakeResult } from '../store.ts';
import type { Announcer } from './announcer.ts';
import type { Reservations } from './reservations.ts';
import type { StepsContext } from './steps.ts';
import type { StoreClock } from './store-clock.ts';
import type { StoreFile } from './store-file.ts';
import type { StoredQueue } from './stored-queue.ts';
import type { StoredQueues } from './stored-queues.ts';
import type { OrderKey } from './tables/table-rows.ts';
import { aTurn } from './turn.ts';

const ONE: TakeLimit = { count: 1, bytes: 1 };

type SomeRuns = Pick<TakeResult, 'runs' | 'isPart'>;

const NOTHING: SomeRuns = { runs: [], isPart: false };

/** Takes messages, to hold or on lease, and looks at them. */
export class Takes {
  readonly #file: StoreFile;
  readonly #reservations: Reservations;
  readonly #queues: StoredQueues;
  readonly #announcer: Announcer;
  readonly #clock: StoreClock;

  constructor(file: StoreFile, reservations: Reservations, { queues, announcer, clock }: StepsContext) {
    this.#file = file;
    this.#reservations = reservations;
    this.#queues = queues;
    this.#announcer = announcer;
    this.#clock = clock;
  }

  /** @see Store.take */
  take(name: string, limit: TakeLimit, owner?: string): Promise<TakeResult> {
    return this.#file.read(() => {
      const taken = this.#take(name, limit, (queue) => queue.hold(limit, this.#clock.now(), aTurn()));
      if (owner !== undefined && taken.runs.length > 0) this.#grant(owner, name, idsOf(taken.runs));
      return taken;
    });
  }

  /** @see Store.takeIds */
  takeIds(name: string, ids: readonly Range[], owner?: string): Promise<Range[]> {
    return this.#file.read(() => {
      const taken = this.#queues.find(name)?.holdThese(ids) ?? [];
      if (owner !== undefined && taken.length > 0) this.#grant(owner, name, taken);
      return taken;
    });
  }

  /** @see Store.lease */
  lease(name: string, limit: TakeLimit, duration: number, owner?: string): Promise<TakeResult> {
    return this.#file.checked(() => {
      // If nothing can be taken, as most often when somebody is about to wait, nothing is written.
      if (this.#file.isIdle && !this.#isAny(name, limit))
        return this.#file.read(() => this.#take(name, limit, () => NOTHING, leasable));
      return this.#file.write(() => {
        const now = this.#clock.now();
        this.#announcer.dueAt(now + duration);
        const lease = (queue: StoredQueue, count: number) => {
          this.#queues.touch(queue);
          return queue.lease({ ...limit, count }, now, duration, aTurn());
        };
        const taken = this.#take(name, limit, lease, leasable);
        if (owner !== undefined && taken.runs.length > 0) {
          // Before they are committed: if the process is killed meanwhile, nobody else has heard of these leases.
          const leases = tokensOf(taken.runs);
          this.#reservations.granted(owner, name, { ids: [], leases });
          this.#file.undo(() => this.#reservations.settledLeases(leases));
        }
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

  /** @param most tells how many of the messages may be taken; all, unless it is there */
  #take(
    name: string,
    limit: TakeLimit,
    take: (queue: StoredQueue, count: number) => SomeRuns,
    most?: typeof leasable,
  ): TakeResult {
    const queue = this.#queues.find(name);
    if (queue === undefined) return { ...NOTHING, isLimited: false, drained: false, finished: true };
    const { row, counts } = queue;
    const isAny = limit.count > 0 && counts.waiting > 0 && (!row.paused || limit.id !== undefined);
    const count = most ? most(row, row.leased, limit) : limit.count;
    if (isAny && count > 0) this.#file.room.checkTake();
    const taken = isAny && count > 0 ? take(queue, count) : NOTHING;
    if (taken.runs.length > 0) this.#announcer.changed(name);
    return {
      ...taken,
      isLimited: isAny && count === 0 && (limit.id === undefined || this.#isWaiting(queue, limit.id)),
      drained: queue.closed && counts.pending === 0,
      finished: row.size === 0,
    };
  }

  #grant(owner: string, name: string, ids: readonly Range[]): void {
    this.#reservations.granted(owner, name, { ids, leases: [] });
    this.#file.undo(() => this.#reservations.settled(owner, name, ids));
  }

  #isAny(name: string, limit: TakeLimit): boolean {
    const queue = this.#queues.find(name);
    if (queue === undefined || (queue.row.paused && limit.id === undefined)) return false;
    return leasable(queue.row, queue.row.leased, limit) > 0 && this.#isWaiting(queue, limit.id);
  }

  /** Whether any message is waiting, or the one with this id. */
  #isWaiting(queue: StoredQueue, id?: number): boolean {
    return queue.peek({ ...ONE, id }, this.#clock.now()).runs.length > 0;
  }
}

function idsOf(runs: readonly Run[]): readonly Range[] {
  const ids = new Ranges();
  for (const run of runs) ids.add(rangeOf(run));
  return ids.all;
}
