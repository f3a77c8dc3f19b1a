import { openSync, type Stats, statSync } from 'node:fs';
import { type Code, errnoOf, isDiskFull, MqError, QUOTA, textOf } from './errors.ts';
import { isForbidden } from './read-only.ts';

/** Errors of the machine, not of rights, which may pass. */
const PASSING = ['EAGAIN', 'EBUSY', 'EIO', 'EMFILE', 'ENFILE', 'ENOMEM', 'ESTALE', 'ETIMEDOUT'];

/** An error of the system, or the name of one (`ENOENT`, ...), in words. */
export function reasonOf(error: unknown): string {
  const errno = numberOf(error);
  if (errno === undefined) return textOf(error);
  if (errno === QUOTA) return 'disk quota exceeded';
  // Loaded only here.
  return process.getBuiltinModule('node:util').getSystemErrorMessage(errno);
}

function numberOf(error: unknown): number | undefined {
  if (error instanceof Error && 'errno' in error && typeof error.errno === 'number') return error.errno;
  const numbers: Record<string, number> = process.getBuiltinModule('node:os').constants.errno;
  const number = numbers[String(error)];
  return number === undefined ? undefined : -number;
}

/**
 * The error when a file or a folder of mq cannot be used.
 * @param what the matter, to which the reason is added
 */
export function unusable(what: string, path: string, cause: unknown): MqError {
  return new MqError(codeOf(path, cause), `${what}: ${reasonOf(cause)}`, { cause });
}

/**
 * Opens a file of the state folder, and makes it where it is missing. Anything else at the path is refused: opening a
 * pipe would wait for somebody at its other end.
 * @param what the name of the file in errors
 * @throws MqError NOTALLOWED, DISKFULL, IOERROR
 */
export function openOwn(
  what: string,
  path: string,
  flags: string,
  isFit: (found: Stats) => boolean = (found) => found.isFile(),
): number {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined || isFit(found)) return openSync(path, flags, 0o600);
  } catch (cause) {
    throw unusable(`${what} ${path} cannot be opened`, path, cause);
  }
  throw new MqError('NOTALLOWED', `${what} ${path} is there already and is not a file`, {
    advice: 'Move it away.',
  });
}

function codeOf(path: string, error: unknown): Code {
  const errno = errnoOf(error) ?? '';
  if (isDiskFull(error)) return 'DISKFULL';
  if (errno === 'EROFS') return isForbidden(path) ? 'NOTALLOWED' : 'IOERROR';
  return PASSING.includes(errno) ? 'IOERROR' : 'NOTALLOWED';
}
