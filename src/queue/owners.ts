import { now } from '../clock.ts';
import { MqError } from '../errors.ts';
import { stateOf } from '../holder.ts';
import { countOf, type Range } from '../range.ts';
import type { Store } from '../store/store.ts';
import { TEXTS } from '../texts.ts';
import type { Grant, Ledger } from './ledger.ts';
import { Owner } from './owner.ts';
import { Presence } from './presence.ts';

/** Bytes. A larger ledger is begun anew. */
const LEDGER_LIMIT = 1024 * 1024;

/** Milliseconds between two looks whether the absent live. */
const LOOK_EVERY = 200;

/** Milliseconds for which the absent that cannot be seen are awaited: a client that lives comes back at once. */
const MOST_ABSENCE = 15_000;

/** Messages that an owner has no more, as long as that may not be recorded yet. */
interface Settling {
  holder: string | undefined;
  queue: string;
  grant: Grant;
}

/**
 * The owners of messages: what each holds, and the leases that are bound to it. The ledger has the same on
 * record, for the daemon after this one. Owners that an earlier daemon left behind are absent until their
 * processes come back, or have gone.
 *
 *     enter ──> present ── leave ──> (gone)
 *     recover ──> absent ── identify (by a present owner of the same process), or its process ends ──> (gone)
 */
export class Owners {
  readonly #store: Store;
  readonly #ledger: Ledger | undefined;
  readonly #failed: (error: unknown) => void;
  readonly #owners = new Set<Owner>();
  /** The owners that leases are bound to. */
  readonly #bound = new Map<string, Owner>();
  /** The number of owners at each queue. */
  readonly #present = new Map<string, number>();
  readonly #settling = new Set<Settling>();
  readonly #absent = new Map<string, Owner>();
  #absentTimer: NodeJS.Timeout | undefined;
  #awaitedUntil = 0;
  #hasEnded = false;

  /** @param failed receives errors of background work */
  constructor(store: Store, failed: (error: unknown) => void, ledger?: Ledger) {
    this.#store = store;
    this.#failed = failed;
    this.#ledger = ledger;
  }

  /**
   * Keeps what an earlier daemon gave to processes that live, or may live: they come back, and acknowledge what
   * they have consumed. Messages of other processes are back. To be called before anybody enters.
   */
  async recover(): Promise<void> {
    for (const [holder, queues] of this.#ledger?.read() ?? []) {
      const owner = this.enter();
      owner.holder = holder;
      const mayLive = stateOf(holder) !== 'gone';
      for (const [queue, { ids, leases }] of queues) {
        if (mayLive) owner.hold(queue, await this.#store.takeIds(queue, ids));
        this.#bind(owner, queue, [...leases]);
      }
      if (mayLive) this.#absent.set(holder, owner);
      else await this.leave(owner);
    }
    this.#ledger?.rewrite(this.#grants());
    if (this.#absent.size > 0) this.#awaitAbsent();
  }

  enter(): Owner {
    const owner = new Owner(new Presence(this.#present));
    this.#owners.add(owner);
    return owner;
  }

  /** The owner is this process (holder.ts): if the process was here before, the owner has again what it held. */
  identify(owner: Owner, holder: string): void {
    if (this.#ledger === undefined) return;
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
    this.#ledger?.rewrite(this.#grants());
  }

  /** The owner's connection has ended: it waits no longer, and what it held is back. */
  async leave(owner: Owner): Promise<void> {
    owner.gone = true;
    owner.end();
    // Processes that end after that have come to the next daemon, as after a crash.
    if (this.#hasEnded) return;
    this.#owners.delete(owner);
    await this.#takeBack(owner, [...owner.takeLeases(), ...owner.takeUnclaimed()]);
    // Not before: leases that this daemon does not end any more are for the next one to end.
    this.#recordEnd(owner);
  }

  /** Records that the owner holds these messages, for the daemon after this one. */
  recordHold(owner: Owner, queue: string, ids: readonly Range[]): void {
    this.#record(owner, queue, { ids, leases: [] });
  }

  /**
   * Binds leases to the owner, which must not be gone, and records that.
   * @throws MqError STOPPED after the end: nobody would end these leases
   */
  bind(owner: Owner, queue: string, leases: readonly string[]): void {
    if (this.#hasEnded) throw new MqError('STOPPED', TEXTS.stopped);
    // Bound first: a ledger that is begun anew has all that is bound.
    this.#bind(owner, queue, leases);
    this.#record(owner, queue, { ids: [], leases });
  }

  /** Frees leases from the owners that they are bound to, because they are settled. */
  unbind(leases: readonly string[]): void {
    for (const lease of leases) {
      this.#bound.get(lease)?.unbind(lease);
      this.#bound.delete(lease);
    }
  }

  /** Frees leases of this owner, which do not end with it any more, and records that. */
  free(owner: Owner, queue: string, leases: readonly string[]): void {
    if (owner.holder !== undefined) this.#ledger?.freed(owner.holder, queue, leases);
  }

  /**
   * Messages have been consumed: messages that the owner holds, and messages that are waiting and that it held
   * when an earlier daemon died.
   * @returns the number of messages that are done by this
   */
  async done(owner: Owner, queue: string, ids: readonly Range[]): Promise<number> {
    const held = ids.flatMap((range) => owner.unhold(queue, range));
    const settling: Settling = { holder: owner.holder, queue, grant: { ids: held, leases: [] } };
    this.#settling.add(settling);
    const missing = owner.holder !== undefined && countOf(ids) > countOf(held);
    const found = missing ? [...held, ...(await this.#store.takeIds(queue, ids))] : held;
    settling.grant = { ids: found, leases: [] };
    try {
      await this.#store.settle(queue, found, 'done');
    } catch (error) {
      // Not recorded, so not done: the owner can acknowledge again, or let go.
      if (owner.gone) await this.#store.settle(queue, found, 'returned');
      else owner.hold(queue, found);
      throw error;
    } finally {
      this.#settling.delete(settling);
    }
    return countOf(found);
  }

  /** Messages could not be handed over to the owner: they are back in their places. */
  async giveBack(owner: Owner, queue: string, ids: readonly Range[]): Promise<void> {
    const held = ids.flatMap((range) => owner.unhold(queue, range));
    await this.#store.settle(queue, held, 'returned');
  }

  /** Leases could not be handed over: their messages are back in their places. */
  async giveBackLeases(queue: string, leases: readonly string[]): Promise<void> {
    const holder = this.#bound.get(leases[0] as string)?.holder;
    this.unbind(leases);
    await this.#return(holder, queue, leases);
  }

  /** Whether somebody holds messages. */
  get areHeld(): boolean {
    return [...this.#owners].some(({ hasAny }) => hasAny);
  }

  /** The number of owners that wait for messages of this queue, or hold some. */
  countAt(queue: string): number {
    return this.#present.get(queue) ?? 0;
  }

  /** Ends the record: what is held or bound now is so for the next daemon. */
  end(): void {
    this.#hasEnded = true;
    clearInterval(this.#absentTimer);
    this.#ledger?.close();
  }

  #bind(owner: Owner, queue: string, leases: readonly string[]): void {
    owner.bind(queue, leases);
    for (const lease of leases) this.#bound.set(lease, owner);
  }

  #record({ holder }: Owner, queue: string, grant: Grant): void {
    if (holder === undefined || this.#ledger === undefined) return;
    this.#ledger.granted(holder, queue, grant);
    if (this.#ledger.size > LEDGER_LIMIT) this.#ledger.rewrite(this.#grants());
  }

  *#grants(): Generator<[holder: string, queue: string, grant: Grant]> {
    for (const owner of this.#owners) {
      const { holder } = owner;
      if (holder === undefined) continue;
      for (const [queue, ids] of owner.holds()) yield [holder, queue, { ids, leases: [] }];
      for (const [lease, queue] of [...owner.leases(), ...owner.unclaimed])
        yield [holder, queue, { ids: [], leases: [lease] }];
    }
    // The daemon may be killed before this is recorded, and then its owner has it still.
    for (const { holder, queue, grant } of this.#settling)
      if (holder !== undefined) yield [holder, queue, grant];
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
    await Promise.all([
      ...owner.takeHolds().map(([queue, ids]) => this.#store.settle(queue, ids, 'returned')),
      ...[...byQueue].map(([queue, these]) => this.#return(owner.holder, queue, these)),
    ]);
  }

  async #return(holder: string | undefined, queue: string, leases: readonly string[]): Promise<void> {
    const settling: Settling = { holder, queue, grant: { ids: [], leases } };
    this.#settling.add(settling);
    try {
      await this.#store.returnLeases(queue, leases);
    } finally {
      this.#settling.delete(settling);
    }
  }

  #recordEnd({ holder }: Owner): void {
    if (holder === undefined || !this.#ledger?.isOpen(holder)) return;
    // Its process may have come back on another connection, and messages of this one may still be on their way back.
    const isIts = (each: { holder?: string | undefined }) => each.holder === holder;
    if ([...this.#owners].some(isIts) || [...this.#settling].some(isIts))
      this.#ledger.rewrite(this.#grants());
    else this.#ledger.ended(holder);
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
