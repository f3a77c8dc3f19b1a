import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { errnoOf } from '../errors.ts';

/** O_TMPFILE of open(2), which Node does not name; it goes with O_DIRECTORY. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;

/** Where POSIX utilities are, whatever the user's PATH. */
const UTILITIES = '/usr/bin:/bin';

/** Where temporary files are. Asked for once: it takes some twenty system calls. */
export const FOLDER = tmpdir();

/** Where files are kept in memory, if there is such a place (shm_overview(7)). */
const MEMORY = '/dev/shm';

/** Files of up to so many bytes go there: one takes half as long as on ext4. */
const SMALL = 64 * 1024;

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
 * The same, for reading from its start: it holds these bytes.
 * @returns its descriptor
 */
export function temporaryWith(bytes: Buffer): number {
  if (bytes.length <= SMALL) {
    try {
      return filled(openSync(MEMORY, constants.O_RDWR | O_TMPFILE, 0o600), bytes);
    } catch {
      // There is no such place, or no room in it.
    }
  }
  return filled(openTemporary(), bytes);
}

function filled(fd: number, bytes: Buffer): number {
  try {
    // Each at its place, so that the descriptor stays at the start.
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, at);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** The second shell has the pipe as descriptor 4, says who it is, and ends when descriptor 3 does. */
const HOLD_PIPE = `: | sh -c 'exec 4<&0; echo $$; read x <&3'`;

/**
 * Makes a pipe(7) that another process is to have one end of. Node knows only socket pairs, which cannot be
 * opened as /dev/stdin, and nobody can open a FIFO as that once its writer has left. So this is the pipe
 * of a shell, opened by way of its process (proc_pid_fd(5)).
 * @param ours which descriptor does not block: the one that stays here
 */
export async function openPipe(ours: 'reader' | 'writer'): Promise<{ reader: number; writer: number }> {
  const env = { PATH: UTILITIES };
  const shell = spawn('/bin/sh', ['-c', HOLD_PIPE], { env, stdio: ['ignore', 'pipe', 'ignore', 'pipe'] });
  try {
    const [pid] = await Promise.race([once(shell.stdout as Readable, 'data'), once(shell, 'exit')]);
    const path = `/proc/${Number(pid)}/fd/4`;
    const mode = (end: 'reader' | 'writer') => (end === ours ? constants.O_NONBLOCK : 0);
    const reader = openSync(path, constants.O_RDONLY | mode('reader'));
    return { reader, writer: openSync(path, constants.O_WRONLY | mode('writer')) };
  } finally {
    (shell.stdio[3] as Writable).destroy();
  }
}
