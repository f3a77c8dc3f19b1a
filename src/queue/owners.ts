import { now } from '../clock.ts';
import { stateOf } from '../holder.ts';
import { countOf, type Range } from '../range.ts';
import { type Run, rangeOf, tokensOf } from '../store/run.ts';
import type { Store } from '../store/store.ts';
import { Owner } from './owner.ts';
import { Presence } from './presence.ts';

/** Milliseconds between two looks whether the absent live. */
const LOOK_EVERY = 200;

/** Milliseconds for which the absent that cannot be seen are awaited: a client that lives comes back at once. */
const MOST_ABSENCE = 15_000;

/**
 * The owners of messages: what each holds, and the leases that are bound to it. The store keeps the same reserved for
 * their processes, for the daemon after this one. Owners that an earlier daemon left behind are absent until their
 * processes come back, or have gone.
 *
 *     enter ──> present ── leave ──> (gone)
 *     recover ──> absent ── identify (by a present owner of the same process), or its process ends ──> (gone)
 */
export class Owners {
  readonly #store: Store;
  readonly #failed: (error: unknown) => void;
  readonly #owners = new Set<Owner>();
  /** The owners that leases are bound to. */
  readonly #bound = new Map<string, Owner>();
  /** The number of owners at each queue. */
  readonly #present = new Map<string, number>();
  readonly #absent = new Map<string, Owner>();
  #absentTimer: NodeJS.Timeout | undefined;
  #awaitedUntil = 0;
  #hasEnded = false;

  /** @param failed receives errors of background work */
  constructor(store: Store, failed: (error: unknown) => void) {
    this.#store = store;
    this.#failed = failed;
  }

  /**
   * Keeps what an earlier daemon gave to processes that live, or may live: they come back, and acknowledge what
   * they have consumed. Messages of other processes are back. To be called before anybody enters.
   */
  async recover(): Promise<void> {
    for (const { owner: holder, queue, ids, leases } of await this.#store.reserved()) {
      const owner = this.#absent.get(holder) ?? this.enter();
      owner.holder = holder;
      owner.hold(queue, ids);
      this.bind(owner, queue, leases);
      this.#absent.set(holder, owner);
    }
    for (const [holder, owner] of this.#absent) {
      if (stateOf(holder) !== 'gone') continue;
      this.#absent.delete(holder);
      await this.leave(owner);
    }
    if (this.#absent.size > 0) this.#awaitAbsent();
  }

  enter(): Owner {
    const owner = new Owner(new Presence(this.#present));
    this.#owners.add(owner);
    return owner;
  }

  /** The owner is this process (holder.ts): if the process was here before, the owner has again what it held. */
  identify(owner: Owner, holder: string): void {
    owner.holder = holder;
    const former = this.#absent.get(holder);
    if (former === undefined) return;
    this.#absent.delete(holder);
    this.#owners.delete(former);
    for (const [queue, ids] of former.takeHolds()) owner.hold(queue, ids);
    for (const [lease, queue] of former.takeLeases()) {
      owner.unclaimed.set(lease, queue);
      this.#bound.delete(lease);
    }
    owner.isBack = true;
  }

  /** The owner has acknowledged and claimed all that it still has, and asks for more: the rest is back. */
  async reclaim(owner: Owner): Promise<void> {
    owner.isBack = false;
    await this.#takeBack(owner, owner.takeUnclaimed());
  }

  /** The owner's connection has ended: it waits no longer, and what it held is back. */
  async leave(owner: Owner): Promise<void> {
    owner.gone = true;
    owner.end();
    // Processes that end after that have come to the next daemon, as after a crash.
    if (this.#hasEnded) return;
    this.#owners.delete(owner);
    await this.#takeBack(owner, [...owner.takeLeases(), ...owner.takeUnclaimed()]);
  }

  /** Binds leases to the owner, which must not be gone. */
  bind(owner: Owner, queue: string, leases: readonly string[]): void {
    owner.bind(queue, leases);
    for (const lease of leases) this.#bound.set(lease, owner);
  }

  /** Frees leases from the owners that they are bound to, because they are settled. */
  unbind(leases: readonly string[]): void {
    for (const lease of leases) {
      this.#bound.get(lease)?.unbind(lease);
      this.#bound.delete(lease);
    }
  }

  /**
   * Messages have been consumed: messages that the owner holds, and messages that are waiting and that it held
   * when an earlier daemon died.
   * @returns the number of messages that are done by this
   */
  async done(owner: Owner, queue: string, ids: readonly Range[]): Promise<number> {
    const { holder } = owner;
    const held = ids.flatMap((range) => owner.unhold(queue, range));
    const missing = holder !== undefined && countOf(ids) > countOf(held);
    const found = missing ? [...held, ...(await this.#store.takeIds(queue, ids, holder))] : held;
    try {
      await this.#store.settle(queue, found, 'done', holder);
    } catch (error) {
      // Not recorded, so not done: the owner can acknowledge again, or let go.
      if (owner.gone) await this.#return(owner, [[queue, found]], []);
      else owner.hold(queue, found);
      throw error;
    }
    return countOf(found);
  }

  /** Messages that the owner holds could not be handed over to it: they are back in their places. */
  async giveBack(owner: Owner, queue: string, ids: readonly Range[]): Promise<void> {
    const held = ids.flatMap((range) => owner.unhold(queue, range));
    await this.#return(owner, [[queue, held]], []);
  }

  /** Leases could not be handed over to the owner: their messages are back in their places. */
  async giveBackLeases(owner: Owner, queue: string, leases: readonly string[]): Promise<void> {
    this.unbind(leases);
    await this.#return(owner, [], [[queue, leases]]);
  }

  /** Messages that were taken for the owner, to hold or on lease, could not be handed over to it. */
  async giveBackTaken(owner: Owner, queue: string, runs: readonly Run[]): Promise<void> {
    const leases = tokensOf(runs);
    if (leases.length > 0) return this.giveBackLeases(owner, queue, leases);
    const ids = runs.map(rangeOf);
    for (const range of ids) owner.unhold(queue, range);
    await this.#return(owner, [[queue, ids]], []);
  }

  /** Tells those who may have messages of the queue, or are being given some, that it is paused. */
  tellPaused(queue: string): void {
    for (const owner of this.#owners) if (owner.isAt(queue)) owner.onPaused(queue);
  }

  /** Whether somebody holds messages. */
  get areHeld(): boolean {
    return [...this.#owners].some(({ hasAny }) => hasAny);
  }

  /** The process that has this message, held or on a lease that is bound to it. */
  holderOf(queue: string, { id, leases }: Run): string | undefined {
    const [lease] = leases?.tokens ?? [];
    if (lease !== undefined) return this.#bound.get(lease)?.holder;
    for (const owner of this.#owners) if (owner.holdsThis(queue, id)) return owner.holder;
    return undefined;
  }

  /** The number of owners that wait for messages of this queue, or hold some. */
  countAt(queue: string): number {
    return this.#present.get(queue) ?? 0;
  }

  /** Nothing is given back any more: what is held or bound now is so for the next daemon. */
  end(): void {
    this.#hasEnded = true;
    clearInterval(this.#absentTimer);
  }

  /** These leases of the owner, and all that it holds, are back. */
  async #takeBack(owner: Owner, leases: [lease: string, queue: string][]): Promise<void> {
    const byQueue = new Map<string, string[]>();
    for (const [lease, queue] of leases) {
      this.#bound.delete(lease);
      const others = byQueue.get(queue);
      if (others) others.push(lease);
      else byQueue.set(queue, [lease]);
    }
    await this.#return(owner, owner.takeHolds(), [...byQueue]);
  }

  /** Messages of the owner are back, and not reserved for its process any more. */
  async #return(
    { holder }: Owner,
    held: (readonly [queue: string, ids: readonly Range[]])[],
    leased: (readonly [queue: string, leases: readonly string[]])[],
  ): Promise<void> {
    await Promise.all([
      ...held.map(([queue, ids]) => this.#store.settle(queue, ids, 'returned', holder)),
      ...leased.map(([queue, leases]) => this.#store.returnLeases(queue, leases)),
    ]);
    if (holder !== undefined) this.#store.gaveBack(holder);
  }

  /** Takes back what the absent had, once their processes have gone or have been awaited long enough. */
  #awaitAbsent(): void {
    this.#awaitedUntil = now() + MOST_ABSENCE;
    this.#absentTimer = setInterval(() => {
      for (const [holder, owner] of this.#absent) {
        const state = stateOf(holder);
        if (state === 'living' || (state === 'unknown' && now() < this.#awaitedUntil)) continue;
        this.#absent.delete(holder);
        this.leave(owner).catch(this.#failed);
      }
      if (this.#absent.size === 0) clearInterval(this.#absentTimer);
    }, LOOK_EVERY).unref();
  }
}
