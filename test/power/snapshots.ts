import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import { type Event, FOLDER } from './disk.ts';

/** How SQLite names the files, here. */
export const STORE = 'store';
const LOG = 'store-wal';

/** Where the log's header ends (https://sqlite.org/fileformat.html#walformat). */
const HEADER = 32;

const SECTOR = 512;

/** The mark behind what is not seen: how the file is made. */
export const MADE = 'made';

/**
 * Finds out what a store in this process does to its files by looking at them after each commit. In which order
 * SQLite writes and syncs within a commit is known: the log is synced before any of it goes into the file, that is
 * synced before the log begins anew, and its header is, with its name, before anything follows it
 * (https://sqlite.org/pragma.html#pragma_synchronous: NORMAL).
 */
export class Snapshots {
  readonly events: Event[] = [];
  #folder: string;
  #store: Buffer | undefined;
  #log: Buffer | undefined;
  #calls = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get path(): string {
    return `${this.#folder}/${STORE}`;
  }

  mark(mark: string): void {
    this.events.push({ what: 'mark', mark });
  }

  /** A sync of this file has begun; it ends when what is returned is called. */
  sync(file: string): () => void {
    const call = this.#calls++;
    this.events.push({ what: 'sync', file, call });
    return () => this.events.push({ what: 'synced', file, call });
  }

  /** The files go on in another folder, as they are: whoever has them open changes nothing more that counts. */
  goOnIn(folder: string): void {
    for (const name of [STORE, LOG])
      if (existsSync(`${this.#folder}/${name}`)) copyFileSync(`${this.#folder}/${name}`, `${folder}/${name}`);
    this.#folder = folder;
  }

  take(): void {
    const [store, log] = [this.#read(STORE), this.#read(LOG)];
    if (this.#store === undefined) {
      this.#write(STORE, undefined, store);
      this.sync(STORE)();
      this.sync(FOLDER)();
      // Up to here it had a journal, which is gone.
      this.mark(MADE);
    } else if (store?.equals(this.#store) === false) {
      if (log) {
        this.#write(LOG, this.#log, log);
        this.#log = log;
      }
      this.sync(LOG)();
      this.#write(STORE, this.#store, store);
      this.sync(STORE)();
    }
    this.#store = store;
    if (log === undefined) {
      if (this.#log) this.events.push({ what: 'remove', file: LOG });
    } else {
      const [before, after] = [this.#log, log].map((bytes) => bytes?.subarray(0, HEADER));
      if (after?.length === HEADER && before?.equals(after) !== true) {
        this.#write(LOG, before, after);
        this.sync(LOG)();
        this.sync(FOLDER)();
      }
      this.#write(LOG, this.#log, log);
    }
    this.#log = log;
  }

  #read(name: string): Buffer | undefined {
    const path = `${this.#folder}/${name}`;
    return existsSync(path) ? readFileSync(path) : undefined;
  }

  #write(file: string, before: Buffer = Buffer.alloc(0), after: Buffer = Buffer.alloc(0)): void {
    if (after.length < before.length) this.events.push({ what: 'truncate', file, at: after.length });
    if (after.length === 0) this.events.push({ what: 'truncate', file, at: 0 });
    let start: number | undefined;
    for (let at = 0; at < after.length + SECTOR; at += SECTOR) {
      const [old, now] = [before, after].map((bytes) => bytes.subarray(at, at + SECTOR)) as [Buffer, Buffer];
      const isSame = now.length === 0 || old.equals(now);
      if (!isSame) start ??= at;
      if (isSame && start !== undefined) {
        this.events.push({ what: 'write', file, at: start, bytes: after.subarray(start, at) });
        start = undefined;
      }
    }
  }
}
