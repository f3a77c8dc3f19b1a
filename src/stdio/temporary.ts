import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { errnoOf } from '../errors.ts';

/** O_TMPFILE of open(2), which Node does not name; it goes with O_DIRECTORY. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;

/** The place of POSIX utilities, whatever the user's PATH is. */
const UTILITIES = '/usr/bin:/bin';

/** The folder of temporary files. Looked up once: it takes some twenty system calls. */
export const FOLDER = tmpdir();

/** A folder whose files are in memory, where there is one (shm_overview(7)). */
const MEMORY = '/dev/shm';

/** Bytes. Files up to this size go to memory, which takes half as long as ext4. */
const SMALL = 64 * 1024;

/** Errors of a file system, or a kernel, that does not know O_TMPFILE. */
const UNKNOWN = ['EOPNOTSUPP', 'EISDIR', 'ENOENT', 'EINVAL'];

/**
 * Opens a file without a name, for reading and writing. It is gone when nobody has it open any more.
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
 * Opens a file without a name that holds these bytes, to be read from its start.
 * @returns its descriptor
 */
export function temporaryWith(bytes: Buffer): number {
  if (bytes.length <= SMALL) {
    try {
      return filled(openSync(MEMORY, constants.O_RDWR | O_TMPFILE, 0o600), bytes);
    } catch {
      // There is no such folder, or no room in it.
    }
  }
  return filled(openTemporary(), bytes);
}

function filled(fd: number, bytes: Buffer): number {
  try {
    // With positions, so that the descriptor's own stays at the start.
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, at);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** The inner shell has the pipe as descriptor 4, prints its process id, and ends when descriptor 3 is closed. */
const HOLD_PIPE = `: | sh -c 'exec 4<&0; echo $$; read x <&3'`;

/**
 * Makes a pipe(7), one end of which goes to another process. Node makes socket pairs only, which cannot be
 * opened as /dev/stdin; nor can a FIFO, once its writer has left. So this is the pipe of a shell, opened by way
 * of that shell's process (proc_pid_fd(5)).
 * @param ours the end that stays here: its descriptor does not block
 */
export async function openPipe(ours: 'reader' | 'writer'): Promise<{ reader: number; writer: number }> {
  const env = { PATH: UTILITIES };
  const shell = spawn('/bin/sh', ['-c', HOLD_PIPE], { env, stdio: ['ignore', 'pipe', 'ignore', 'pipe'] });
  const exit = once(shell, 'exit');
  try {
    const [pid] = await Promise.race([once(shell.stdout as Readable, 'data'), exit]);
    const path = `/proc/${Number(pid)}/fd/4`;
    const mode = (end: 'reader' | 'writer') => (end === ours ? constants.O_NONBLOCK : 0);
    const reader = openSync(path, constants.O_RDONLY | mode('reader'));
    return { reader, writer: openSync(path, constants.O_WRONLY | mode('writer')) };
  } finally {
    (shell.stdio[3] as Writable).destroy();
    // As long as the shell has the pipe open, bytes that nobody reads can be written to it.
    await exit;
  }
}
