import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { errnoOf } from './errors.ts';

/** Major 1, minor 3 (null(4)). */
const DEV_NULL = (1 << 8) + 3;

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
 * Closes standard input or output for whoever is at the other side of it. Nothing else may get the number, so
 * /dev/null has it from now on (open(2) takes the lowest one that is free).
 */
export function letGo(fd: 0 | 1): void {
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
  const [pid, open] = process.env['MQ_OPEN']?.split(':') ?? [];
  if (Number(pid) === process.pid) return !open?.includes(String(fd));
  return ![0, 1, 2].every(isNullForBoth);
}

function isNullForBoth(fd: number): boolean {
  if (fstatSync(fd).rdev !== DEV_NULL) return false;
  try {
    const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
    const flags = Number.parseInt(/^flags:\s*(\d+)/m.exec(info)?.[1] ?? '', 8);
    return (flags & 0o3) === constants.O_RDWR;
  } catch {
    // No /proc: it cannot be told.
    return false;
  }
}
