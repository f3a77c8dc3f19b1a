import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { startOf } from '../processes.ts';
import type { Range } from '../store/store.ts';

/**
 * A file that says which process was given which messages, for the daemon that comes after one that
 * died: what a living process may have consumed is kept for it, until it has said so.
 *
 * It is a journal of lines: `pid start queue 1-5,9-9` for messages given, `pid start` when the
 * consumer is through. Messages that are done stay in it until it is cut; the store knows better.
 * It is never synced: it matters only when processes survive the daemon, and then the kernel has
 * survived too, and with it what was written.
 */
export class Ledger {
  readonly #fd: number;
  /** Told of what goes wrong while nobody waits for an answer. */
  readonly failed: (error: unknown) => void;
  readonly #open = new Set<string>();
  #size = 0;
  #closed = false;

  /** @param failed told when a line cannot be written: then a message can come twice after a crash */
  constructor(path: string, failed: (error: unknown) => void) {
    this.failed = failed;
    this.#fd = openSync(path, 'a+', 0o600);
  }

  /** What an earlier daemon gave to processes that live still. */
  read(): Map<string, Map<string, Range[]>> {
    const given = new Map<string, Map<string, Range[]>>();
    for (const line of readFileSync(this.#fd, 'utf8').split('\n')) {
      const [pid, start, queue, ranges] = line.split(' ');
      const holder = `${pid} ${start}`;
      if (queue === undefined || ranges === undefined) given.delete(holder);
      else if (startOf(Number(pid)) === start) {
        const queues = given.get(holder) ?? new Map<string, Range[]>();
        queues.set(queue, [...(queues.get(queue) ?? []), ...ranges.split(',').map(parseRange)]);
        given.set(holder, queues);
      }
    }
    return given;
  }

  /** Begins anew, with what is held now. */
  rewrite(held: Iterable<[holder: string, queue: string, ids: readonly Range[]]>): void {
    if (this.#closed) return;
    this.#try(() => ftruncateSync(this.#fd, 0));
    this.#size = 0;
    this.#open.clear();
    for (const [holder, queue, ids] of held) this.given(holder, queue, ids);
  }

  given(holder: string, queue: string, ids: readonly Range[]): void {
    this.#open.add(holder);
    this.#write(`${holder} ${queue} ${ids.map(({ first, last }) => `${first}-${last}`).join(',')}\n`);
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
      this.failed(error);
    }
  }
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

function parseRange(text: string): Range {
  const [first, last] = text.split('-').map(Number) as [number, number];
  return { first, last };
}
