import { statSync } from 'node:fs';
import type { Range } from '../../range.ts';
import { Ranges } from '../../ranges.ts';
import type { Reserve } from '../../reserve.ts';
import type { Reservation } from '../store.ts';
import { type Grant, Ledger } from './ledger.ts';

/** Bytes. A larger ledger is begun anew. */
const LEDGER_LIMIT = 1024 * 1024;

/** Bytes of the reserve that are given up at a time for a line in the ledger. */
const LEDGER_ROOM = 64 * 1024;

export interface LedgerOptions {
  path: string;
  /** Receives the error of a line that cannot be written: a message can come twice after a crash then. */
  failed: (error: unknown) => void;
}

/** Messages of one queue that an owner has. */
interface Holding {
  owner: string;
  queue: string;
  ids: Ranges;
  /** The number of leases that are bound to it. */
  leases: number;
}

/**
 * The messages that each owner has, held or on a lease that is bound to it, and their record in the ledger. A message
 * is on record until it is committed that it is settled: if the process is killed before, its owner has it still.
 */
export class Reservations {
  readonly #ledger: Ledger | undefined;
  /** By owner and queue. */
  readonly #holdings = new Map<string, Map<string, Holding>>();
  readonly #leases = new Map<string, Holding>();
  #former: Reservation[] = [];

  /** @throws MqError NOTALLOWED, DISKFULL, IOERROR */
  constructor(store: string, reserve: Reserve, options: LedgerOptions | undefined) {
    if (options === undefined) return;
    const makeRoom = () => reserve.giveUp(LEDGER_ROOM);
    this.#ledger = new Ledger(options.path, () => markOf(store), options.failed, makeRoom);
  }

  /** Holds again what the owners of an earlier process held. @param hold holds messages. @returns those that waited */
  begin(hold: (queue: string, ids: readonly Range[]) => Range[]): void {
    for (const [owner, queues] of this.#ledger?.read() ?? []) {
      for (const [queue, given] of queues) {
        const ids = hold(queue, given.ids);
        const leases = [...given.leases];
        this.#add(owner, queue, { ids, leases });
        this.#former.push({ owner, queue, ids, leases });
      }
    }
    this.#ledger?.rewrite(this.#grants());
  }

  /** @see Store.reserved */
  former(): Reservation[] {
    const former = this.#former;
    this.#former = [];
    return former;
  }

  /** The owner is given these messages. */
  granted(owner: string | undefined, queue: string, grant: Grant): void {
    if (owner === undefined || this.#ledger === undefined) return;
    // Added first: a ledger that is begun anew has all of it.
    this.#add(owner, queue, grant);
    this.#ledger.granted(owner, queue, grant);
    if (this.#ledger.size > LEDGER_LIMIT) this.#ledger.rewrite(this.#grants());
  }

  /** It is committed that the owner holds these messages no more. */
  settled(owner: string | undefined, queue: string, ids: readonly Range[]): void {
    if (owner === undefined) return;
    const holding = this.#holdings.get(owner)?.get(queue);
    if (holding) for (const range of ids) holding.ids.remove(range);
  }

  /** It is committed that these leases are settled. */
  settledLeases(leases: readonly string[]): void {
    if (this.#leases.size > 0) for (const lease of leases) this.#unbind(lease);
  }

  /** These leases are bound to the owner from now on, or to none. */
  rebound(owner: string | undefined, queue: string, leases: readonly string[]): void {
    const freed = new Map<string, string[]>();
    for (const lease of leases) {
      const former = this.#unbind(lease)?.owner;
      if (former === undefined || former === owner) continue;
      const others = freed.get(former);
      if (others) others.push(lease);
      else freed.set(former, [lease]);
    }
    this.granted(owner, queue, { ids: [], leases });
    for (const [former, these] of freed) this.#ledger?.freed(former, queue, these);
  }

  /** @see Store.gaveBack */
  gaveBack(owner: string): void {
    const holdings = this.#holdings.get(owner);
    for (const [queue, { ids, leases }] of holdings ?? [])
      if (ids.isEmpty && leases === 0) holdings?.delete(queue);
    if (holdings?.size === 0) this.#holdings.delete(owner);
    if (!this.#ledger?.isOpen(owner)) return;
    if (this.#holdings.has(owner)) this.#ledger.rewrite(this.#grants());
    else this.#ledger.ended(owner);
  }

  /** Leaves the record as it is, for the next process. */
  end(): void {
    this.#ledger?.close();
  }

  #add(owner: string, queue: string, { ids, leases }: Grant): void {
    let holdings = this.#holdings.get(owner);
    if (holdings === undefined) {
      holdings = new Map();
      this.#holdings.set(owner, holdings);
    }
    let holding = holdings.get(queue);
    if (holding === undefined) {
      holding = { owner, queue, ids: new Ranges(), leases: 0 };
      holdings.set(queue, holding);
    }
    for (const range of ids) holding.ids.add(range);
    for (const lease of leases) {
      this.#unbind(lease);
      this.#leases.set(lease, holding);
      holding.leases += 1;
    }
  }

  #unbind(lease: string): Holding | undefined {
    const holding = this.#leases.get(lease);
    if (holding === undefined) return undefined;
    this.#leases.delete(lease);
    holding.leases -= 1;
    return holding;
  }

  *#grants(): Generator<[owner: string, queue: string, grant: Grant]> {
    for (const holdings of this.#holdings.values())
      for (const { owner, queue, ids } of holdings.values())
        if (!ids.isEmpty) yield [owner, queue, { ids: ids.all, leases: [] }];
    for (const [lease, { owner, queue }] of this.#leases) yield [owner, queue, { ids: [], leases: [lease] }];
  }
}

/** Tells the store file from its copies, of which the ledger says nothing. */
function markOf(store: string): string {
  const { dev, ino } = statSync(store);
  return `${dev}:${ino}`;
}
