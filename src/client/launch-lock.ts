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

/** A lock older than this, in ms, was left behind, and so was one from the future: the clock was set. */
const STALE = 5000;

/**
 * A file that a command has while it starts a daemon. It holds the name of that process (holder.ts), so
 * that one that was killed keeps nobody waiting; one that cannot be seen from here is judged by the file's age.
 */
export class LaunchLock {
  readonly #path: string;
  /** The file that this process made. */
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

  /** Others may have found it stale and taken it. */
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
      // Without room for a lock there may still be room for the daemon: gets go on with a full disk.
      if (isDiskFull(cause)) return true;
      const folder = dirname(this.#path);
      throw unusable(`the state folder ${folder} cannot be written`, folder, cause);
    }
  }

  #look(): Found | undefined {
    try {
      const stat = lstatSync(this.#path);
      if (!stat.isFile()) {
        throw new MqError('NOTALLOWED', `${this.#path} is there already and no file`, {
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

  /** Another command may have found the same and made a lock of its own by now: that one is put back. */
  #remove({ ino, mtimeMs }: Found): void {
    const aside = `${this.#path}.${TOKEN}`;
    try {
      renameSync(this.#path, aside);
      const moved = lstatSync(aside);
      if (moved.ino !== ino || moved.mtimeMs !== mtimeMs) linkSync(aside, this.#path);
    } catch (cause) {
      // Gone, or there is a third one.
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

/** Whether the process that made it has gone. One cannot tell while it writes its name. */
function isLeft(path: string): boolean {
  try {
    const holder = readFileSync(path, 'latin1');
    // Up to mq 0.5 it was the pid alone.
    if (/^\d+$/.test(holder)) return startOf(Number(holder)) === undefined;
    return isHolder(holder) && stateOf(holder) === 'gone';
  } catch {
    return false;
  }
}
