import type { Range } from '../store/store.ts';
import { Ranges } from './ranges.ts';

/** Whoever puts and gets over one connection: what it holds, and what it waits for. */
export class Consumer {
  /** The process that it is, when it can come back after the daemon died: see Ledger. */
  holder: string | undefined;
  /** It came back, and holds what an earlier daemon gave to it. */
  isBack = false;
  readonly #holds = new Map<string, Ranges>();
  readonly #cancels = new Set<() => void>();
  /** The queues it waits to get from. */
  readonly waitsOn = new Set<string>();
  /** It waits for nothing any more; what is there at once it still takes. */
  ended = false;
  /** The connection is gone: nothing can be given to it. */
  gone = false;

  hold(queue: string, ids: readonly Range[]): void {
    if (ids.length === 0) return;
    const held = this.#holds.get(queue) ?? new Ranges();
    this.#holds.set(queue, held);
    for (const range of ids) held.add(range);
  }

  /** Ends its hold on those of the ids that it holds, and answers which those are. */
  unhold(queue: string, range: Range): Range[] {
    const held = this.#holds.get(queue);
    const removed = held?.remove(range) ?? [];
    if (held?.isEmpty) this.#holds.delete(queue);
    return removed;
  }

  get holdsAny(): boolean {
    return this.#holds.size > 0;
  }

  holdsOf(queue: string): boolean {
    return this.#holds.has(queue);
  }

  holds(): [queue: string, ids: readonly Range[]][] {
    return [...this.#holds].map(([queue, { all }]) => [queue, all]);
  }

  /** Everything that it holds; it holds nothing after that. */
  takeHolds(): [queue: string, ids: readonly Range[]][] {
    const all = this.holds();
    this.#holds.clear();
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
