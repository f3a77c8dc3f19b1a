import { closeSync, ftruncateSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { startOf } from '../processes.ts';
import type { Range } from '../store/store.ts';

/** What a consumer has of a queue. */
export interface Given {
  ids: readonly Range[];
  leases: readonly string[];
}

/**
 * A file that says which process was given which messages, for the daemon that comes after one that
 * died: what a living process may have consumed is kept for it, until it has said so.
 *
 * It is a journal of lines: `pid start queue 1-5,9-9,12.k3x` for messages given (to hold, or on a lease
 * that is bound to the consumer), `pid start queue !12.k3x` for leases that are its own no more, and
 * `pid start` when the consumer is through. Messages that are done stay in it until it is cut; the
 * store knows better.
 * It is never synced: it matters only when processes survive the daemon, and then the kernel has
 * survived too, and with it what was written.
 */
export class Ledger {
  readonly #path: string;
  #fd: number;
  readonly #failed: (error: unknown) => void;
  readonly #open = new Set<string>();
  #size = 0;
  #closed = false;

  /** @param failed told when a line cannot be written: then a message can come twice after a crash */
  constructor(path: string, failed: (error: unknown) => void) {
    this.#path = path;
    this.#failed = failed;
    this.#fd = openSync(path, 'a+', 0o600);
  }

  /** What an earlier daemon gave to processes that had not said that they were through. */
  read(): Map<string, Map<string, { ids: Range[]; leases: Set<string> }>> {
    const given = new Map<string, Map<string, { ids: Range[]; leases: Set<string> }>>();
    for (const line of readFileSync(this.#fd, 'utf8').split('\n')) {
      const [pid, start, queue, items] = line.split(' ');
      const holder = `${pid} ${start}`;
      if (queue === undefined || items === undefined) {
        given.delete(holder);
        continue;
      }
      const queues = entry(given, holder, () => new Map());
      const { ids, leases } = entry(queues, queue, () => ({ ids: [], leases: new Set<string>() }));
      for (const item of items.split(',')) {
        if (item.startsWith('!')) leases.delete(item.slice(1));
        else if (item.includes('.')) leases.add(item);
        else ids.push(parseRange(item));
      }
    }
    return given;
  }

  /** Begins anew, with what is held now: at no time does the file say less than that. */
  rewrite(held: Iterable<[holder: string, queue: string, given: Given]>): void {
    if (this.#closed) return;
    const lines: string[] = [];
    this.#open.clear();
    for (const [holder, queue, given] of held) {
      this.#open.add(holder);
      lines.push(lineOf(holder, queue, given));
    }
    this.#try(() => {
      if (lines.length === 0) ftruncateSync(this.#fd, 0);
      else this.#replace(lines.join(''));
      this.#size = lines.reduce((sum, { length }) => sum + length, 0);
    });
  }

  given(holder: string, queue: string, given: Given): void {
    this.#open.add(holder);
    this.#write(lineOf(holder, queue, given));
  }

  /** These leases are the consumer's own no more: they do not end with it. */
  freed(holder: string, queue: string, leases: readonly string[]): void {
    if (leases.length > 0)
      this.#write(`${holder} ${queue} ${leases.map((lease) => `!${lease}`).join(',')}\n`);
  }

  /** The consumer is through: it owes nothing. */
  through(holder: string): void {
    if (!this.#open.delete(holder)) return;
    if (this.#open.size === 0 && !this.#closed) this.rewrite([]);
    else this.#write(`${holder}\n`);
  }

  get size(): number {
    return this.#size;
  }

  /** Stays as it is from now on. */
  close(): void {
    if (!this.#closed) closeSync(this.#fd);
    this.#closed = true;
  }

  #replace(text: string): void {
    const path = `${this.#path}.new`;
    const fd = openSync(path, 'w', 0o600);
    try {
      writeSync(fd, text);
      renameSync(path, this.#path);
    } finally {
      closeSync(fd);
    }
    closeSync(this.#fd);
    this.#fd = openSync(this.#path, 'a+', 0o600);
  }

  #write(line: string): void {
    if (this.#closed) return;
    this.#try(() => {
      this.#size += writeSync(this.#fd, line);
    });
  }

  #try(write: () => void): void {
    try {
      write();
    } catch (error) {
      this.#failed(error);
    }
  }
}

function lineOf(holder: string, queue: string, { ids, leases }: Given): string {
  const items = [...ids.map(({ first, last }) => `${first}-${last}`), ...leases];
  return `${holder} ${queue} ${items.join(',')}\n`;
}

/** The holder that a process is, undefined when there is no such process. */
export function holderOf(pid: number): string | undefined {
  const start = startOf(pid);
  return start === undefined ? undefined : `${pid} ${start}`;
}

/** Whether the process lives. */
export function isLiving(holder: string): boolean {
  return holderOf(Number.parseInt(holder, 10)) === holder;
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key) ?? make();
  map.set(key, found);
  return found;
}

function parseRange(text: string): Range {
  const [first, last] = text.split('-').map(Number) as [number, number];
  return { first, last };
}
