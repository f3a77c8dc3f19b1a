import type { Run } from './run.ts';

/**
 * The record of messages that were put and seen. An item is one message. It has a sighting for each time
 * that it came out, which says what must, can and cannot happen to it after that.
 */

/**
 * final: the message is gone for good; back: it is not, and must be seen again; maybe: either, for example
 * since its holder was killed, and `why` is the rule that allows it.
 */
export type Fate = 'final' | 'maybe' | 'back';

export interface Sighting {
  how: 'got' | 'leased' | 'ran';
  /** The command that it came out of. */
  run: Run;
  /** The time when that was noticed: not before it came out. In ms, as all times here. */
  at: number;
  fate: Fate;
  why: string;
  /** The latest time at which the item was gone, if it was. */
  goneBy?: number;
  lease?: string;
  attempt?: number;
  /** Whether this counts as an attempt, as far as is known. */
  counts?: 'yes' | 'maybe' | 'no';
}

export interface Item {
  /** The name in reports: its serial, or where it comes from. */
  name: string;
  put: Put;
  /** Its place among the items of the put, from 0. */
  index: number;
  bytes: number;
  sightings: Sighting[];
}

/** Items that were put in order, by one command: if not all are stored, the first ones are. */
export interface Put {
  queue: string;
  /** Undefined for the output of a command of `mq work --into`. */
  run: Run | undefined;
  items: Item[];
  /** The number of items that are stored for sure, and at most. */
  least: number;
  most: number;
  why: string;
  /** All items are stored, or none. */
  isAtomic?: boolean;
  /** Time before which no item may be seen. */
  dueAt?: number;
  isMortal?: boolean;
  key?: string;
}

export interface Violation {
  kind: string;
  what: string;
  items: Item[];
  runs: Run[];
}

interface Printed {
  item: Item;
  sighting: Sighting;
}

export class Accounts {
  /** Bytes of messages, by queue, that may have been in pipes whose readers went away. */
  readonly leaks = new Map<string, number>();
  readonly puts: Put[] = [];
  readonly violations: Violation[] = [];
  /** The number of times that each rule allowed something that looks like a fault. */
  readonly allowed = new Map<string, number>();
  readonly #items = new Map<string, Item>();
  readonly #leases = new Map<string, Item>();
  readonly #backlogs = new Map<string, number>();
  readonly #printed = new Map<Run, Printed[]>();

  newPut(queue: string, run: Run | undefined, more: Partial<Put> = {}): Put {
    const put: Put = { queue, run, items: [], least: 0, most: 0, why: '', ...more };
    this.puts.push(put);
    return put;
  }

  newItem(put: Put, name: string, bytes: number): Item {
    const item: Item = { name, put, index: put.items.length, bytes, sightings: [] };
    put.items.push(item);
    this.#items.set(name, item);
    this.#count(put.queue, 1);
    return item;
  }

  /** Enters the outcome of a put. */
  settle(put: Put, least: number, most: number, why: string): void {
    Object.assign(put, { least, most, why });
    this.#count(put.queue, most - put.items.length);
  }

  item(name: string): Item | undefined {
    return this.#items.get(name);
  }

  items(): Iterable<Item> {
    return this.#items.values();
  }

  sight(item: Item, sighting: Sighting): Sighting {
    if (item.sightings.length === 0) this.#count(item.put.queue, -1);
    item.sightings.push(sighting);
    const { lease, run, how } = sighting;
    const printed = this.#printed.get(run);
    if (printed) printed.push({ item, sighting });
    else this.#printed.set(run, [{ item, sighting }]);
    if (lease !== undefined) {
      if (this.#leases.has(lease))
        this.violate('lease twice', `lease ${lease} came out twice (${how})`, [item], [run]);
      this.#leases.set(lease, item);
    }
    return sighting;
  }

  /** The messages that came out of each run, in order. */
  printed(): Iterable<[Run, Printed[]]> {
    return this.#printed;
  }

  leak(queue: string, bytes: number): void {
    this.leaks.set(queue, (this.leaks.get(queue) ?? 0) + bytes);
  }

  leased(lease: string): Item | undefined {
    return this.#leases.get(lease);
  }

  violate(kind: string, what: string, items: Item[] = [], runs: Run[] = []): void {
    this.violations.push({ kind, what, items, runs });
  }

  allow(rule: string, count = 1): void {
    this.allowed.set(rule, (this.allowed.get(rule) ?? 0) + count);
  }

  /** The number of messages that are still in a queue, about. */
  backlog(queue: string): number {
    return this.#backlogs.get(queue) ?? 0;
  }

  #count(queue: string, by: number): void {
    this.#backlogs.set(queue, this.backlog(queue) + by);
  }
}

/** The number of items that are stored for sure: they were reported as stored, or one of them or a later one was seen. */
export function storedOf(put: Put): number {
  let stored = put.least;
  for (const { index, sightings } of put.items)
    if (sightings.length > 0) stored = Math.max(stored, index + 1);
  return stored;
}
