import type { Clock, Events } from '../store.ts';

/** Tells the queue layer, once it is committed, which queues have changed, and when something is due. */
export class Announcer {
  readonly #events: Events;
  readonly #clock: Clock;
  readonly #changed = new Set<string>();
  /** The time when something is due, and the one that was last told of, on the store's clock. */
  #due = Infinity;
  #saidDue = -Infinity;

  /** @param clock the store's clock */
  constructor(events: Events, clock: Clock) {
    this.#events = events;
    this.#clock = clock;
  }

  changed(queue: string): void {
    this.#changed.add(queue);
  }

  dueAt(time: number): void {
    this.#due = Math.min(this.#due, time);
  }

  /** All that was due is done: the next time is this one, and is told though a time was told before. */
  nextDueAt(time: number): void {
    this.#saidDue = Infinity;
    this.#due = time;
  }

  /** Tells from now on when something is due: the store is open. */
  begin(): void {
    this.#saidDue = Infinity;
  }

  /** No queue has changed after all. */
  forget(): void {
    this.#changed.clear();
  }

  announce(): void {
    const changed = [...this.#changed];
    this.#changed.clear();
    for (const name of changed) this.#events.changed(name);
    if (this.#due >= this.#saidDue) return;
    this.#saidDue = this.#due;
    this.#events.due(this.#due - this.#clock());
  }
}
