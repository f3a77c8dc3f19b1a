import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { isDiskFull } from '../../errors.ts';
import { isHolder } from '../../holder.ts';
import type { Range } from '../../range.ts';
import { openOwn } from '../../reasons.ts';

/** Messages of a queue that an owner was given. */
export interface Grant {
  ids: readonly Range[];
  leases: readonly string[];
}

/**
 * The record of which process was given which messages, for the daemon after one that died: messages that a
 * living process may have consumed are kept for it, until it has acknowledged them.
 *
 * Its first line is `= MARK`, the mark of its store. In a copied state folder the mark is that of another store,
 * whose holders never come here, and the file counts for nothing. After that it is a journal of lines, each
 * with a holder (holder.ts) in front: `holder queue 1-5,9-9,12.k3x` for messages given (to hold, or on
 * a lease that is bound to the owner), `holder queue !12.k3x` for leases that are its own no more, and
 * `holder` when the owner is gone. Messages that are done stay in it until it is cut; the
 * store knows better. Daemons up to mq 0.5 wrote no first line.
 *
 * It is never synced: it matters only when processes survive the daemon, and then the kernel has
 * survived too, and with it what was written.
 */
export class Ledger {
  readonly #path: string;
  #fd: number;
  readonly #mark: () => string;
  #line: string | undefined;
  readonly #failed: (error: unknown) => void;
  readonly #makeRoom: () => boolean;
  readonly #open = new Set<string>();
  #size = 0;
  /** Whether the file begins with the first line of this store. */
  #isOurs = false;
  #closed = false;

  /**
   * @param mark tells the store from its copies: one word
   * @param failed receives the error of a line that cannot be written: a message can come twice after a crash then
   * @param makeRoom makes room on a full disk. @returns whether it did
   * @throws MqError NOTALLOWED, DISKFULL, IOERROR
   */
  constructor(
    path: string,
    mark: () => string,
    failed: (error: unknown) => void,
    makeRoom: () => boolean = () => false,
  ) {
    this.#path = path;
    this.#mark = mark;
    this.#failed = failed;
    this.#makeRoom = makeRoom;
    this.#fd = openOwn('the ledger', path, 'a+');
  }

  /** Messages that an earlier daemon gave to processes that had not gone. */
  read(): Map<string, Map<string, { ids: Range[]; leases: Set<string> }>> {
    const given = new Map<string, Map<string, { ids: Range[]; leases: Set<string> }>>();
    const lines = readFileSync(this.#fd, 'utf8').split('\n');
    if (lines[0]?.startsWith(MARK) && `${lines.shift()}\n` !== this.#firstLine) return given;
    for (const line of lines) {
      const words = line.split(' ');
      // One up to mq 0.5 is two words.
      const holder = words.splice(0, isHolder(words[0] as string) ? 1 : 2).join(' ');
      const [queue, items] = words;
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

  /** Begins the file anew with what is held now; at no time does it say less. */
  rewrite(held: Iterable<[holder: string, queue: string, grant: Grant]>): void {
    if (this.#closed) return;
    const lines: string[] = [];
    this.#open.clear();
    for (const [holder, queue, grant] of held) {
      this.#open.add(holder);
      lines.push(lineOf(holder, queue, grant));
    }
    this.#try(() => {
      if (lines.length === 0 && this.#isOurs) ftruncateSync(this.#fd, this.#firstLine.length);
      else this.#replace(this.#firstLine + lines.join(''));
      this.#isOurs = true;
      this.#size = lines.reduce((sum, { length }) => sum + length, 0);
    });
  }

  granted(holder: string, queue: string, grant: Grant): void {
    this.#open.add(holder);
    this.#write(lineOf(holder, queue, grant));
  }

  /** These leases do not end with the owner any more. */
  freed(holder: string, queue: string, leases: readonly string[]): void {
    if (leases.length > 0)
      this.#write(`${holder} ${queue} ${leases.map((lease) => `!${lease}`).join(',')}\n`);
  }

  /** Whether something is on record for this holder. */
  isOpen(holder: string): boolean {
    return this.#open.has(holder);
  }

  /** The owner has gone, and owes nothing. */
  ended(holder: string): void {
    if (!this.#open.delete(holder)) return;
    if (this.#open.size === 0 && !this.#closed) this.rewrite([]);
    else this.#write(`${holder}\n`);
  }

  /** Bytes of the file without the first line. */
  get size(): number {
    return this.#size;
  }

  get #firstLine(): string {
    this.#line ??= `${MARK}${this.#mark()}\n`;
    return this.#line;
  }

  /** Leaves the file as it is from now on. */
  close(): void {
    if (!this.#closed) closeSync(this.#fd);
    this.#closed = true;
  }

  #replace(text: string): void {
    const path = `${this.#path}.new`;
    rmSync(path, { force: true });
    const fd = openSync(path, 'ax', 0o600);
    try {
      writeFileSync(fd, text);
      renameSync(path, this.#path);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    closeSync(this.#fd);
    this.#fd = fd;
  }

  #write(line: string): void {
    if (this.#closed) return;
    this.#try(() => this.#append(Buffer.from(line)));
  }

  #append(line: Buffer): void {
    let written = 0;
    try {
      while (written < line.length) written += writeSync(this.#fd, line, written);
    } catch (error) {
      // The next line would be read as the rest of it.
      if (written > 0) ftruncateSync(this.#fd, fstatSync(this.#fd).size - written);
      throw error;
    }
    this.#size += line.length;
  }

  #try(write: () => void): void {
    for (;;) {
      try {
        write();
        return;
      } catch (error) {
        if (isDiskFull(error) && this.#makeRoom()) continue;
        this.#failed(error);
        return;
      }
    }
  }
}

/** Begins the first line. */
const MARK = '= ';

function lineOf(holder: string, queue: string, { ids, leases }: Grant): string {
  const items = [...ids.map(({ first, last }) => `${first}-${last}`), ...leases];
  return `${holder} ${queue} ${items.join(',')}\n`;
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
