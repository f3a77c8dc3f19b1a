import type { Run } from './run.ts';

/**
 * What was put, and where it was seen. An item is one message; each time that it came out it has a
 * sighting, which says what must, can and cannot become of it after that.
 */

/**
 * final: it is gone for good by this; back: it is not, so it must be seen again; maybe: either, since
 * whoever had it was killed, say, and `why` is the rule that allows it.
 */
export type Fate = 'final' | 'maybe' | 'back';

export interface Sighting {
  how: 'got' | 'leased' | 'ran';
  /** The command that it came out of. */
  run: Run;
  /** When that was noticed: not before it came out. In ms, as all times here. */
  at: number;
  fate: Fate;
  why: string;
  /** The item is gone since then at the latest, where it is. */
  goneBy?: number;
  lease?: string;
  attempt?: number;
  /** This counts as an attempt, as far as is known. */
  counts?: 'yes' | 'maybe' | 'no';
}

export interface Item {
  /** As it is shown: its serial, or where it comes from. */
  name: string;
  put: Put;
  /** Which of the put's it is, from 0. */
  index: number;
  bytes: number;
  sightings: Sighting[];
}

/** Items that were put in order, in one command: what is stored of them is the first so many. */
export interface Put {
  queue: string;
  /** Undefined for what a command of `mq work --into` printed. */
  run: Run | undefined;
  items: Item[];
  /** So many are stored for sure, and so many at most. */
  least: number;
  most: number;
  why: string;
  /** All of them or none. */
  isAtomic?: boolean;
  /** Not to be seen before that. */
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
  /** How many bytes of messages may have been in pipes whose readers went away, by queue. */
  readonly leaks = new Map<string, number>();
  readonly puts: Put[] = [];
  readonly violations: Violation[] = [];
  /** How often each rule allowed something that looks like a fault. */
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

  /** It is known now what became of a put. */
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

  /** What came out of each run, in order. */
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

  /** About how many messages of a queue are still there. */
  backlog(queue: string): number {
    return this.#backlogs.get(queue) ?? 0;
  }

  #count(queue: string, by: number): void {
    this.#backlogs.set(queue, this.backlog(queue) + by);
  }
}

/** Whether it is stored for sure: it was said to be, or it or a later one of the same put has been seen. */
export function storedOf(put: Put): number {
  let stored = put.least;
  for (const { index, sightings } of put.items)
    if (sightings.length > 0) stored = Math.max(stored, index + 1);
  return stored;
}
