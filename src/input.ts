import { constants, fstatSync, openSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import type { ReadStream } from 'node:tty';
import { errnoOf, MqError } from './errors.ts';
import { tty } from './terminal.ts';

/** Bytes asked for at a time. */
const CHUNK = 64 * 1024;

/**
 * Standard input as it comes, chunk by chunk. A pipe is read without blocking the process (its
 * answers and signals are handled meanwhile) and without making it non-blocking for those who
 * share it.
 */
export class Input {
  #stream: Socket | ReadStream | undefined;
  #stopped = false;

  /** @throws MqError USAGE when it cannot be read */
  async *chunks(): AsyncGenerator<Buffer> {
    try {
      this.#stream = openStream();
      yield* this.#stream ?? this.#readFile();
    } catch (cause) {
      if (!this.#stopped)
        throw new MqError('USAGE', `standard input cannot be read: ${errnoOf(cause)}`, { cause });
    }
  }

  /** Ends the chunks, though there may be more. */
  stop(): void {
    this.#stopped = true;
    this.#stream?.destroy();
  }

  *#readFile(): Generator<Buffer> {
    while (!this.#stopped) {
      const buffer = Buffer.allocUnsafeSlow(CHUNK);
      const size = readSync(0, buffer, 0, CHUNK, null);
      if (size === 0) return;
      yield buffer.subarray(0, size);
    }
  }
}

/** Undefined for a file, which never makes its reader wait. */
function openStream(): Socket | ReadStream | undefined {
  const { isatty, ReadStream } = tty();
  if (isatty(0)) return new ReadStream(0);
  const stat = fstatSync(0);
  if (!stat.isFIFO() && !stat.isSocket()) return undefined;
  return new Socket({ fd: reopen(0, constants.O_RDONLY), readable: true, writable: false });
}

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
