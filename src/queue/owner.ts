import type { Range } from '../store/store.ts';
import type { Presence } from './presence.ts';
import { Ranges } from './ranges.ts';

/** Whoever puts and gets over one connection: what it holds, and what it waits for. */
export class Owner {
  /** The process that it is, when it can come back after the daemon died: see Ledger. */
  holder: string | undefined;
  /** It came back, and holds what an earlier daemon gave to it. */
  isBack = false;
  /** Leases that an earlier daemon bound to it, and their queues: it has not said that it has them still. */
  readonly unclaimed = new Map<string, string>();
  readonly #holds = new Map<string, Ranges>();
  /** Leases that end when it goes, and their queues. */
  readonly #leases = new Map<string, string>();
  readonly #cancels = new Set<() => void>();
  readonly #waitsOn = new Set<string>();
  readonly #presence: Presence;
  /** It waits for nothing any more; what is there at once it still takes. */
  ended = false;
  /** The connection is gone: nothing can be given to it. */
  gone = false;

  constructor(presence: Presence) {
    this.#presence = presence;
  }

  /** The queues it waits to get from. */
  get waitsOn(): ReadonlySet<string> {
    return this.#waitsOn;
  }

  wait(queue: string): void {
    if (this.#waitsOn.has(queue)) return;
    this.#waitsOn.add(queue);
    this.#presence.enter(queue);
  }

  waitNoMore(queue: string): void {
    if (this.#waitsOn.delete(queue)) this.#presence.leave(queue);
  }

  hold(queue: string, ids: readonly Range[]): void {
    if (ids.length === 0) return;
    let held = this.#holds.get(queue);
    if (held === undefined) {
      held = new Ranges();
      this.#holds.set(queue, held);
      this.#presence.enter(queue);
    }
    for (const range of ids) held.add(range);
  }

  /** Ends its hold on those of the ids that it holds, and answers which those are. */
  unhold(queue: string, range: Range): Range[] {
    const held = this.#holds.get(queue);
    const removed = held?.remove(range) ?? [];
    if (held?.isEmpty) {
      this.#holds.delete(queue);
      this.#presence.leave(queue);
    }
    return removed;
  }

  bind(queue: string, leases: readonly string[]): void {
    for (const lease of leases) {
      if (!this.#leases.has(lease)) this.#presence.enter(queue);
      this.#leases.set(lease, queue);
    }
  }

  unbind(lease: string): void {
    const queue = this.#leases.get(lease);
    if (queue === undefined) return;
    this.#leases.delete(lease);
    this.#presence.leave(queue);
  }

  leases(): [lease: string, queue: string][] {
    return [...this.#leases];
  }

  get hasAny(): boolean {
    return this.#holds.size > 0 || this.#leases.size > 0;
  }

  /** Whether it has messages of this queue, or waits for some. */
  isAt(queue: string): boolean {
    return this.#presence.isAt(queue);
  }

  holds(): [queue: string, ids: readonly Range[]][] {
    return [...this.#holds].map(([queue, { all }]) => [queue, all]);
  }

  /** Everything that it holds; it holds nothing after that. */
  takeHolds(): [queue: string, ids: readonly Range[]][] {
    const all = this.holds();
    this.#holds.clear();
    for (const [queue] of all) this.#presence.leave(queue);
    return all;
  }

  /** All leases that are bound to it; none are after that. */
  takeLeases(): [lease: string, queue: string][] {
    const all = this.leases();
    this.#leases.clear();
    for (const [, queue] of all) this.#presence.leave(queue);
    return all;
  }

  /** What to call when it ends while it waits. */
  onEnd(cancel: () => void): void {
    this.#cancels.add(cancel);
  }

  offEnd(cancel: () => void): void {
    this.#cancels.delete(cancel);
  }

  end(): void {
    this.ended = true;
    for (const cancel of [...this.#cancels]) cancel();
  }
}
