import type { Range } from '../range.ts';
import { Ranges } from '../ranges.ts';
import type { Presence } from './presence.ts';

/** An owner of messages, which puts and gets over one connection: what it holds, and what it waits for. */
export class Owner {
  /** The name of its process, if that can come back after the daemon died: see Store.reserved. */
  holder: string | undefined;
  /** Whether it has come back, and holds what an earlier daemon gave to it. */
  isBack = false;
  /** Leases that an earlier daemon bound to it, and that it has not claimed, with their queues. */
  readonly unclaimed = new Map<string, string>();
  readonly #holds = new Map<string, Ranges>();
  /** Leases that end with it, and their queues. */
  readonly #leases = new Map<string, string>();
  readonly #cancels = new Set<() => void>();
  readonly #waitsOn = new Set<string>();
  readonly #presence: Presence;
  /** Called when a queue is paused that it is at: what it has not begun is to go back. */
  onPaused: (queue: string) => void = () => {};
  /** Whether it waits for nothing any more; messages that are there it still takes. */
  ended = false;
  /** Whether its connection is gone, so that nothing can be given to it. */
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

  /** Ends its hold on ids. @returns those of them that it held */
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

  holdsThis(queue: string, id: number): boolean {
    return this.#holds.get(queue)?.all.some(({ first, last }) => first <= id && id <= last) ?? false;
  }

  /** Whether it holds messages of this queue, or waits for some. */
  isAt(queue: string): boolean {
    return this.#presence.isAt(queue);
  }

  holds(): [queue: string, ids: readonly Range[]][] {
    return [...this.#holds].map(([queue, { all }]) => [queue, all]);
  }

  /** Takes away all that it holds. */
  takeHolds(): [queue: string, ids: readonly Range[]][] {
    const all = this.holds();
    this.#holds.clear();
    for (const [queue] of all) this.#presence.leave(queue);
    return all;
  }

  /** All leases that it has not claimed; they are not its after that. */
  takeUnclaimed(): [lease: string, queue: string][] {
    const all = [...this.unclaimed];
    this.unclaimed.clear();
    return all;
  }

  /** Takes away all leases that are bound to it. */
  takeLeases(): [lease: string, queue: string][] {
    const all = this.leases();
    this.#leases.clear();
    for (const [, queue] of all) this.#presence.leave(queue);
    return all;
  }

  /** Adds a call for its end, while it waits. */
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
