import { constants, openSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errnoOf } from './errors.ts';

/** O_TMPFILE of open(2), which Node does not name; it goes with O_DIRECTORY. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;

/** Errors that say that the file system, or the kernel, does not know O_TMPFILE. */
const UNKNOWN = ['EOPNOTSUPP', 'EISDIR', 'ENOENT', 'EINVAL'];

/**
 * Opens a file for reading and writing that has no name, and is gone when nobody has it open any more.
 * @param mode O_APPEND of open(2), or nothing
 * @returns its descriptor
 */
export function openTemporary(mode = 0): number {
  const flags = constants.O_RDWR | mode;
  try {
    return openSync(tmpdir(), flags | O_TMPFILE, 0o600);
  } catch (error) {
    if (!UNKNOWN.includes(errnoOf(error) ?? '')) throw error;
  }
  const path = join(tmpdir(), `mq.${process.pid}.${process.hrtime.bigint()}`);
  const fd = openSync(path, flags | constants.O_CREAT | constants.O_EXCL, 0o600);
  unlinkSync(path);
  return fd;
}
