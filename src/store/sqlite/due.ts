import type { Announcer } from './announcer.ts';
import { DELAYED } from './batch.ts';
import type { Undo } from './group-commit.ts';
import type { Steps, StepsContext } from './steps.ts';
import type { StoreClock } from './store-clock.ts';
import type { StoredQueues } from './stored-queues.ts';
import type { Expiry } from './tables/table-rows.ts';
import type { Tables } from './tables/tables.ts';
import { aTurn, type IsOver } from './turn.ts';

/** The most messages, and batches, that are looked at in one turn because they are due. */
const MOST_DUE = 2000;

/** Does what is due: delays and leases that are over, and messages that have expired. */
export class DueSteps {
  readonly #tables: Tables;
  readonly #queues: StoredQueues;
  readonly #announcer: Announcer;
  readonly #clock: StoreClock;
  readonly #steps: Steps;
  readonly #undo: (undo: Undo) => void;
  /** The time up to which expired messages have been dropped, and the batch up to which those of that time have. */
  #swept: Expiry = { time: -Infinity, first: 0 };

  /** @param undo see GroupCommit.undo */
  constructor({ tables, queues, announcer, clock }: StepsContext, steps: Steps, undo: (undo: Undo) => void) {
    this.#tables = tables;
    this.#queues = queues;
    this.#announcer = announcer;
    this.#clock = clock;
    this.#steps = steps;
    this.#undo = undo;
  }

  /** A part of it, within a transaction; the rest is due at once. */
  run(): void {
    const now = this.#clock.now();
    const isOver = aTurn();
    this.#runMessages(now, isOver);
    this.#runBatches(now, isOver);
    this.#sweep(now, isOver);
    this.tellNext();
  }

  get isDue(): boolean {
    return this.nextTime() <= this.#clock.now();
  }

  /** Nothing is due any more, or the next of it at once. */
  tellNext(): void {
    this.#announcer.nextDueAt(this.nextTime());
  }

  /** The time when something is due next. */
  nextTime(): number {
    return this.#tables.nextTime(this.#swept);
  }

  /** Messages of which the lease or the delay is over. */
  #runMessages(now: number, isOver: IsOver): void {
    for (const message of this.#tables.message.due(now, MOST_DUE)) {
      if (isOver()) return;
      const queue = this.#queues.withId(message.queue);
      if (queue === undefined) this.#tables.message.delete({ first: message.id, last: message.id });
      else if (message.lease === null) this.#steps.comeBack(queue, [message], DELAYED);
      else this.#steps.runOut(queue, message);
    }
  }

  /** Batches that were put with a delay that is over. */
  #runBatches(now: number, isOver: IsOver): void {
    for (const row of this.#tables.batch.due(now, MOST_DUE)) {
      if (isOver()) return;
      const queue = this.#queues.withId(row.queue);
      if (queue === undefined) {
        this.#tables.batch.delete(row.first);
        continue;
      }
      this.#queues.touch(queue);
      queue.due(row);
    }
  }

  /** Drops expired messages. */
  #sweep(now: number, isOver: IsOver): void {
    const before = this.#swept;
    this.#undo(() => {
      this.#swept = before;
    });
    const expired = this.#tables.batch.expired(before, now, MOST_DUE);
    for (const { queue: id, ...row } of expired) {
      if (isOver()) return;
      const queue = this.#queues.withId(id);
      if (queue) this.#queues.touch(queue);
      queue?.expire([{ first: row.first, last: row.first + row.count - 1 }], now);
      this.#swept = { time: row.expires_at as number, first: row.first };
    }
    if (expired.length < MOST_DUE) this.#swept = { time: now, first: Number.MAX_SAFE_INTEGER };
  }
}
