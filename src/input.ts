import { constants, fstatSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import type { ReadStream } from 'node:tty';
import { reopen, wasClosed } from './descriptors.ts';
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
      if (wasClosed(0)) throw new MqError('USAGE', 'standard input is closed');
      this.#stream = openStream();
      yield* this.#stream ?? this.#readFile();
    } catch (cause) {
      if (cause instanceof MqError) throw cause;
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
