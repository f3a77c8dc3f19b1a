import {
  closeSync,
  fstatSync,
  linkSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf, isDiskFull, MqError } from '../errors.ts';
import { isHolder, ownHolder, stateOf, TOKEN } from '../holder.ts';
import { startOf } from '../processes.ts';
import { unusable } from '../reasons.ts';

/** Milliseconds. An older lock was left behind, and so was one from the future: the clock was set. */
const STALE = 5000;

/**
 * The lock of a command that starts a daemon: a file with the name of that process (holder.ts), so that a
 * process that was killed keeps nobody waiting. A process that cannot be seen from here is judged by the file's age.
 */
export class LaunchLock {
  readonly #path: string;
  /** The inode of the file that this process made. */
  #inode: number | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * @returns whether this process may start a daemon now
   * @throws MqError NOTALLOWED, IOERROR when there can be no such file
   */
  take(): boolean {
    if (this.#make()) return true;
    const found = this.#look();
    if (found !== undefined) {
      if (!found.isStale) return false;
      this.#remove(found);
    }
    return this.#make();
  }

  /** Whether another process is starting a daemon. */
  get isHeld(): boolean {
    return this.#look()?.isStale === false;
  }

  /** Removes the file, unless others found it stale and took the lock. */
  release(): void {
    const inode = lstatSync(this.#path, { throwIfNoEntry: false })?.ino;
    if (inode !== undefined && inode === this.#inode) rmSync(this.#path, { force: true });
  }

  #make(): boolean {
    try {
      const fd = openSync(this.#path, 'wx', 0o600);
      this.#inode = fstatSync(fd).ino;
      try {
        writeSync(fd, ownHolder());
      } finally {
        closeSync(fd);
      }
      return true;
    } catch (cause) {
      if (errnoOf(cause) === 'EEXIST') return false;
      // On a full disk a daemon can start all the same, and serve gets.
      if (isDiskFull(cause)) return true;
      const folder = dirname(this.#path);
      throw unusable(`the state folder ${folder} cannot be written`, folder, cause);
    }
  }

  #look(): Found | undefined {
    try {
      const stat = lstatSync(this.#path);
      if (!stat.isFile()) {
        throw new MqError('NOTALLOWED', `${this.#path} is there already and is not a file`, {
          advice: 'Move it away.',
        });
      }
      const { ino, mtimeMs } = stat;
      return { ino, mtimeMs, isStale: Math.abs(Date.now() - mtimeMs) > STALE || isLeft(this.#path) };
    } catch (cause) {
      if (errnoOf(cause) === 'ENOENT') return undefined;
      throw cause instanceof MqError
        ? cause
        : unusable(`${this.#path} cannot be looked at`, this.#path, cause);
    }
  }

  /** Removes a stale lock. If another command has replaced it by its own meanwhile, that one is put back. */
  #remove({ ino, mtimeMs }: Found): void {
    const aside = `${this.#path}.${TOKEN}`;
    try {
      renameSync(this.#path, aside);
      const moved = lstatSync(aside);
      if (moved.ino !== ino || moved.mtimeMs !== mtimeMs) linkSync(aside, this.#path);
    } catch (cause) {
      // The lock has gone, or there is a third one.
      if (!['ENOENT', 'EEXIST'].includes(errnoOf(cause) ?? ''))
        throw unusable(`${this.#path} cannot be removed`, this.#path, cause);
    }
    rmSync(aside, { force: true });
  }
}

interface Found {
  ino: number;
  mtimeMs: number;
  isStale: boolean;
}

/** Whether the process that made the file has gone; false while it has not written its name yet. */
function isLeft(path: string): boolean {
  try {
    const holder = readFileSync(path, 'latin1');
    // Up to mq 0.5 the file held the pid alone.
    if (/^\d+$/.test(holder)) return startOf(Number(holder)) === undefined;
    return isHolder(holder) && stateOf(holder) === 'gone';
  } catch {
    return false;
  }
}
