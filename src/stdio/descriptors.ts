import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { wasOpen } from '../inherited.ts';

/** Major 1, minor 3 (null(4)). */
const DEV_NULL = (1 << 8) + 3;

/** O_CLOEXEC of open(2), which Node does not name. */
const O_CLOEXEC = 0o2000000;

/**
 * Another file description of the same pipe, so that O_NONBLOCK stays ours (proc_pid_fd(5)); the
 * same descriptor where there is none to be had: a socket, another user's pipe, no /proc.
 */
export function reopen(fd: 0 | 1, flags: number): number {
  try {
    return openSync(`/proc/self/fd/${fd}`, flags | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return fd;
  }
}

/**
 * Closes a standard stream for whoever is at the other side of it. Nothing else may get the number, so
 * /dev/null has it from now on (open(2) takes the lowest one that is free).
 */
export function letGo(fd: 0 | 1 | 2): void {
  try {
    closeSync(fd);
  } catch (error) {
    // It was closed with the stream that had it.
    if (errnoOf(error) !== 'EBADF') throw error;
  }
  openSync('/dev/null', fd === 0 ? constants.O_RDONLY : constants.O_WRONLY);
}

/**
 * Node opens /dev/null, for reading and writing, where it is started with a closed descriptor; what
 * is written there would be lost. bin/mq says which are open. Without it, it is told by this: a user's own
 * `> /dev/null` is open for writing only, and whoever starts a daemon has one /dev/null for all three
 * (daemon(3)).
 */
export function wasClosed(fd: 0 | 1): boolean {
  if (!isNullForBoth(fd)) return false;
  return wasOpen(fd) === false || (wasOpen(fd) === undefined && ![0, 1, 2].every(isNullForBoth));
}

/**
 * Closes what the starter of this process had open beyond the standard streams, such as a lock or a pipe. Node opens
 * all that is its own with O_CLOEXEC, so what has no such flag was inherited (it sets the flag on the channel to
 * a starter, too). Without /proc nothing can be told apart, and nothing is closed.
 */
export function closeInherited(): void {
  for (const fd of descriptors()) {
    const flags = flagsOf(fd);
    if (fd > 2 && flags !== undefined && (flags & O_CLOEXEC) === 0) closeSync(fd);
  }
}

function descriptors(): number[] {
  try {
    return readdirSync('/proc/self/fd').map(Number);
  } catch {
    return [];
  }
}

function isNullForBoth(fd: number): boolean {
  if (fstatSync(fd).rdev !== DEV_NULL) return false;
  const flags = flagsOf(fd);
  return flags !== undefined && (flags & 0o3) === constants.O_RDWR;
}

/** How a descriptor was opened (proc_pid_fdinfo(5)); undefined where it is closed, or there is no /proc. */
function flagsOf(fd: number): number | undefined {
  try {
    const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1');
    return Number.parseInt(/^flags:\s*(\d+)/m.exec(info)?.[1] ?? '', 8);
  } catch {
    return undefined;
  }
}
