import { now } from '../clock.ts';

/** Milliseconds over which messages are counted, and those of each slot. */
const WINDOW = 60_000;
const SLOT = 5000;
const SLOTS = WINDOW / SLOT;

/** Number of queues from which on those are forgotten in which nothing has happened over the window. */
const MANY = 1000;

/** The most queues that are counted; beyond it, counting begins anew for the one that was first. */
const MOST = 10_000;

const KINDS = ['put', 'done'] as const;
type Counted = (typeof KINDS)[number];

interface Slots {
  /** When counting began, in slots. */
  since: number;
  /** The latest slot. */
  last: number;
  put: number[];
  done: number[];
}

/** The rates of messages that were put into each queue, and done, over the last minute. */
export class Meter {
  readonly #queues = new Map<string, Slots>();
  readonly #clock: () => number;
  /** The slot in which queues were last forgotten. */
  #forgotten = -1;

  /** @param clock one that nobody sets, in ms */
  constructor(clock: () => number = now) {
    this.#clock = clock;
  }

  count(queue: string, what: Counted, messages: number): void {
    if (messages === 0) return;
    const slot = this.#slot();
    const counts = this.#at(queue, slot) ?? this.#begin(queue, slot);
    (counts[what][slot % SLOTS] as number) += messages;
  }

  renamed(queue: string, to: string): void {
    const counts = this.#queues.get(queue);
    if (counts === undefined) return;
    this.#queues.delete(queue);
    this.#queues.set(to, counts);
  }

  rates(queue: string): Record<Counted, number> {
    const slot = this.#slot();
    const counts = this.#at(queue, slot);
    if (counts === undefined) return { put: 0, done: 0 };
    const first = Math.max(counts.since, slot - SLOTS + 1);
    const seconds = Math.max(1000, this.#clock() - first * SLOT) / 1000;
    const rate = (what: Counted) => counts[what].reduce((sum, each) => sum + each, 0) / seconds;
    return { put: rate('put'), done: rate('done') };
  }

  /** The number of queues that it knows. */
  get size(): number {
    return this.#queues.size;
  }

  #slot(): number {
    return Math.floor(this.#clock() / SLOT);
  }

  /** The counts, without slots that are too old. */
  #at(queue: string, slot: number): Slots | undefined {
    const counts = this.#queues.get(queue);
    if (counts === undefined || slot - counts.last >= SLOTS) return undefined;
    for (let old = counts.last + 1; old <= slot; old++)
      for (const what of KINDS) counts[what][old % SLOTS] = 0;
    counts.last = slot;
    return counts;
  }

  #begin(queue: string, slot: number): Slots {
    if (this.#queues.size >= MANY && slot > this.#forgotten) this.#forget(slot);
    if (this.#queues.size >= MOST) this.#queues.delete(this.#queues.keys().next().value as string);
    const none = () => Array.from({ length: SLOTS }, () => 0);
    const counts = { since: slot, last: slot, put: none(), done: none() };
    this.#queues.set(queue, counts);
    return counts;
  }

  #forget(slot: number): void {
    this.#forgotten = slot;
    for (const [queue, { last }] of this.#queues) if (slot - last >= SLOTS) this.#queues.delete(queue);
  }
}
