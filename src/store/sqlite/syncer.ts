import { closeSync, fdatasync, openSync } from 'node:fs';
import { promisify } from 'node:util';

/** Brings what was written to a file to disk. */
export type Sync = (fd: number) => Promise<void>;

export const syncFile: Sync = promisify(fdatasync);

/** Milliseconds after which commits are brought to disk that nobody asks about. */
const UNASKED = 100;

/**
 * Brings commits to disk while the event loop goes on: with `synchronous = NORMAL` SQLite leaves them in its log,
 * unsynced (https://sqlite.org/pragma.html#pragma_synchronous). A sync is made when somebody asks for it; while one is
 * under way, further commits gather for the next one.
 *
 * The log is one file for as long as the database is open: SQLite begins it anew at its start and may
 * truncate it, but removes it only when it closes the database. It is not the file that SQLite's locks
 * are on, which the closing of any descriptor would undo (https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).
 */
export class Syncer {
  readonly #fd: number;
  readonly #sync: Sync;
  /** The timer of commits since the last sync began, after which they are brought to disk. */
  #unsynced: NodeJS.Timeout | undefined;
  /** Not ended, or failed: what is on disk is not known after that, whatever a later sync says (https://wiki.postgresql.org/wiki/Fsync_Errors). */
  #running: Promise<void> | undefined;
  /** The sync that will begin next. */
  #next: Promise<void> | undefined;

  constructor(path: string, sync: Sync) {
    this.#fd = openSync(path, 'r');
    this.#sync = sync;
  }

  /** To be called after each commit. */
  committed(): void {
    // An error is for the next one who asks.
    this.#unsynced ??= setTimeout(() => void this.synced().catch(() => {}), UNASKED).unref();
  }

  /** Fulfilled when all that was committed is on disk. */
  async synced(): Promise<void> {
    if (this.#unsynced !== undefined) this.#next ??= this.#begin();
    await (this.#next ?? this.#running);
  }

  close(): void {
    clearTimeout(this.#unsynced);
    closeSync(this.#fd);
  }

  async #begin(): Promise<void> {
    await (this.#running ?? afterHandingOut());
    clearTimeout(this.#unsynced);
    this.#unsynced = undefined;
    this.#running = this.#next;
    this.#next = undefined;
    await this.#sync(this.#fd);
    this.#running = undefined;
  }
}

/** Waits until those that wait for the commit are served, in this turn of the event loop. */
function afterHandingOut(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
