import { spawnSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errnoOf } from './errors.ts';

/** O_TMPFILE of open(2), which Node does not name; it goes with O_DIRECTORY. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;

/** Where POSIX utilities are, whatever the user's PATH. */
const UTILITIES = '/usr/bin:/bin';

/** Asked for once: it takes some twenty system calls. */
const FOLDER = tmpdir();

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
    return openSync(FOLDER, flags | O_TMPFILE, 0o600);
  } catch (error) {
    if (!UNKNOWN.includes(errnoOf(error) ?? '')) throw error;
  }
  const path = join(FOLDER, `mq.${process.pid}.${process.hrtime.bigint()}`);
  const fd = openSync(path, flags | constants.O_CREAT | constants.O_EXCL, 0o600);
  unlinkSync(path);
  return fd;
}

/**
 * Makes a pipe(7) that another process is to have one end of. Node knows only socket pairs, which are not
 * quite the same: they cannot be opened as /dev/stdin, and whoever reads one may get ECONNRESET instead of
 * the last bytes. So this is a FIFO whose name is gone again.
 * @param ours which descriptor does not block: the one that stays here
 */
export function openPipe(ours: 'reader' | 'writer'): { reader: number; writer: number } {
  const folder = mkdtempSync(join(FOLDER, 'mq.'));
  const path = join(folder, 'pipe');
  try {
    const { status, error } = spawnSync('mkfifo', [path], { stdio: 'ignore', env: { PATH: UTILITIES } });
    if (status !== 0) throw error ?? new Error(`mkfifo ended with status ${status}`);
    // Without O_NONBLOCK it would wait for the other end.
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if (ours === 'reader') return { reader, writer: openSync(path, constants.O_WRONLY) };
    const writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    const theirs = openSync(path, constants.O_RDONLY);
    closeSync(reader);
    return { reader: theirs, writer };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
