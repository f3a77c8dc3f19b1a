import type { Random } from '../random.ts';

/**
 * The changes of the files of a folder, in order. `at` is an offset or a size; `call` ties the end of
 * a sync to its beginning. A mark is a word of whoever did it: it happened at this point.
 */
export type Event =
  | { what: 'write'; file: string; at: number; bytes: Buffer }
  | { what: 'truncate'; file: string; at: number }
  | { what: 'remove'; file: string }
  | { what: 'sync' | 'synced'; file: string; call: number }
  | { what: 'mark'; mark: string };

/** The name of the folder itself, in a sync. */
export const FOLDER = '.';

/** Bytes that a disk writes as a whole. */
const SECTOR = 512;

type Change = Extract<Event, { what: 'write' | 'truncate' }> & { index: number };

/** One file from its making to its removal. */
interface Inode {
  changes: Change[];
  /** Changes before this event are on disk. */
  safe: number;
}

/** The file that a name of the folder stands for, from this event on. */
interface Entry {
  index: number;
  inode: Inode | undefined;
}

/**
 * The contents that a disk may have when the power fails behind these events: what was synced, and of the rest
 * anything, in whole or in part and in any order.
 */
export function ruinOf(events: readonly Event[], random: Random): Map<string, Buffer> {
  const entries = new Map<string, Entry[]>();
  const begun = new Map<number, number>();
  let folderSafe = 0;
  for (const [index, event] of events.entries()) {
    if (event.what === 'mark') continue;
    if (event.what === 'sync') begun.set(event.call, index);
    else if (event.what === 'synced') {
      const since = begun.get(event.call) as number;
      const inode = entries.get(event.file)?.findLast((entry) => entry.index < since)?.inode;
      if (event.file === FOLDER) folderSafe = Math.max(folderSafe, since);
      else if (inode) inode.safe = Math.max(inode.safe, since);
    } else {
      const named = entries.get(event.file) ?? [];
      entries.set(event.file, named);
      let inode = named.at(-1)?.inode;
      if (event.what === 'remove') {
        named.push({ index, inode: undefined });
        continue;
      }
      if (inode === undefined) {
        inode = { changes: [], safe: 0 };
        named.push({ index, inode });
      }
      inode.changes.push({ ...(event as Change), index });
    }
  }
  const ruin = new Map<string, Buffer>();
  for (const [name, named] of entries) {
    // The entry that is on disk, or one of the later ones.
    const last = named.findLastIndex((entry) => entry.index < folderSafe);
    const choices = [...(last < 0 ? [undefined] : []), ...named.slice(Math.max(0, last))];
    const inode = random.of(choices)?.inode;
    if (inode) ruin.set(name, contentOf(inode, random));
  }
  return ruin;
}

function contentOf({ changes, safe }: Inode, random: Random): Buffer {
  const content = new Content();
  for (const change of changes.filter(({ index }) => index < safe)) content.apply(change, () => true);
  const rest = changes.filter(({ index }) => index >= safe);
  const how = random.of(['none', 'all', 'first', 'some', 'sectors', 'sectors'] as const);
  const first = how === 'first' ? random.below(rest.length + 1) : rest.length;
  for (const [i, change] of rest.slice(0, first + 1).entries()) {
    if (how === 'none') break;
    if (how === 'some' && random.below(2) === 0) continue;
    // The one under way is torn.
    const isTorn = how === 'sectors' || (how === 'first' && i === first);
    content.apply(change, () => !isTorn || random.below(2) === 0);
  }
  return content.bytes;
}

class Content {
  /** Zeros behind the size. */
  #buffer = Buffer.alloc(SECTOR);
  #size = 0;

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#size);
  }

  /** @param isWritten whether the next sector is */
  apply(change: Change, isWritten: () => boolean): void {
    if (change.what === 'truncate') {
      if (isWritten()) this.#resize(change.at);
      return;
    }
    const { at, bytes } = change;
    // The size is on disk, it may be, and what was to stand there is not: zeros.
    if (isWritten()) this.#resize(Math.max(this.#size, at + bytes.length));
    for (let start = at; start < at + bytes.length; start = nextSector(start)) {
      const end = Math.min(nextSector(start), at + bytes.length);
      if (!isWritten()) continue;
      this.#resize(Math.max(this.#size, end));
      bytes.copy(this.#buffer, start, start - at, end - at);
    }
  }

  #resize(size: number): void {
    if (size > this.#buffer.length) {
      const buffer = Buffer.alloc(size * 2);
      this.bytes.copy(buffer);
      this.#buffer = buffer;
    }
    this.#buffer.fill(0, size, Math.max(size, this.#size));
    this.#size = size;
  }
}

function nextSector(at: number): number {
  return (Math.floor(at / SECTOR) + 1) * SECTOR;
}
