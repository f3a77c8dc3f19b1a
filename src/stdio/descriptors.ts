import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { wasOpen } from '../inherited.ts';

/** The device number of /dev/null: major 1, minor 3 (null(4)). */
const DEV_NULL = (1 << 8) + 3;

/** O_CLOEXEC of open(2), which Node does not name. */
const O_CLOEXEC = 0o2000000;

/**
 * Opens the same pipe once more (proc_pid_fd(5)), so that O_NONBLOCK does not change it for others. Answers
 * the same descriptor where that cannot be: for a socket, another user's pipe, or without /proc.
 */
export function reopen(fd: 0 | 1, flags: number): number {
  try {
    return openSync(`/proc/self/fd/${fd}`, flags | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return fd;
  }
}

/**
 * Closes a standard stream, so that whoever is at its other side notices. /dev/null takes its number (open(2)
 * takes the lowest free one), so that nothing else gets it.
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
 * Whether a standard stream was closed when this process began. Node opens /dev/null in its place, for reading
 * and writing, where output would be lost. bin/mq says which streams were open. Without bin/mq, two signs
 * tell: a user's own `> /dev/null` is open for writing only, and a daemon has /dev/null for all three
 * (daemon(3)).
 */
export function wasClosed(fd: 0 | 1): boolean {
  if (!isNullForBoth(fd)) return false;
  return wasOpen(fd) === false || (wasOpen(fd) === undefined && ![0, 1, 2].every(isNullForBoth));
}

/**
 * Closes the descriptors that were inherited beyond the standard streams, such as a lock or a pipe. They lack
 * O_CLOEXEC, with which Node opens its own, and which it sets on the channel to its starter. Without /proc they
 * cannot be told apart, and nothing is closed.
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

/** The flags that a descriptor was opened with (proc_pid_fdinfo(5)); undefined: it is closed, or there is no /proc. */
function flagsOf(fd: number): number | undefined {
  try {
    const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1');
    return Number.parseInt(/^flags:\s*(\d+)/m.exec(info)?.[1] ?? '', 8);
  } catch {
    return undefined;
  }
}
