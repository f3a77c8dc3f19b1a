import { constants, fstatSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { WriteStream } from 'node:tty';
import { reopen, wasClosed } from './descriptors.ts';
import { errnoOf, MqError } from './errors.ts';
import { tty } from './terminal.ts';

/** A write of at most so many bytes to a pipe is taken as a whole or not at all (PIPE_BUF, pipe(7)). */
const ATOMIC = 4096;

/**
 * Standard output, with an exact account of what was taken: a message has left the queue when the
 * write(2) of its last byte has succeeded. A slow reader does not block the process.
 */
export class Output {
  /** Bytes that write(2) took. */
  taken = 0;
  readonly #fd: number;
  /** Waits for a slow reader; a file has none. */
  readonly #waiter: Socket | WriteStream | undefined;
  #stop: ((error: MqError) => void) | undefined;
  #stopped: MqError | undefined;

  /** @throws MqError OUTPUT when standard output is closed */
  constructor() {
    const stat = fstatSync(1);
    if (stat.isCharacterDevice() && wasClosed(1)) throw failed('EBADF');
    const { isatty, WriteStream } = tty();
    if (stat.isFIFO() || stat.isSocket() || isatty(1)) {
      this.#fd = reopen(1, constants.O_WRONLY);
      this.#waiter = isatty(1)
        ? new WriteStream(this.#fd)
        : new Socket({ fd: this.#fd, readable: false, writable: true });
      // The reader went away: the next write says so.
      this.#waiter.on('error', () => {});
    } else {
      this.#fd = 1;
    }
  }

  /**
   * @param ends where messages end in `chunk`, the last one at its end: a message of up to 4096
   *   bytes goes into a pipe as a whole or not at all, so that no interruption leaves half of one
   *   there, and several writers do not mix theirs up
   * @returns when write(2) has taken all of it
   * @throws MqError READERGONE (EPIPE), OUTPUT (anything else), INTERRUPTED (by `stop`)
   */
  async write(chunk: Buffer, ends: Uint32Array = Uint32Array.of(chunk.length)): Promise<void> {
    let at = 0;
    let next = 0;
    while (at < chunk.length) {
      if (this.#stopped) throw this.#stopped;
      let end = chunk.length;
      if (this.#waiter) {
        while ((ends[next] as number) <= at) next++;
        while ((ends[next + 1] ?? Number.POSITIVE_INFINITY) <= at + ATOMIC) next++;
        end = ends[next] as number;
      }
      const size = await this.#writeSome(chunk.subarray(at, end));
      at += size;
      this.taken += size;
    }
  }

  /** Takes no more; a write that waits for its reader fails with INTERRUPTED. */
  stop(): void {
    this.#stopped = new MqError('INTERRUPTED', 'interrupted');
    this.#stop?.(this.#stopped);
  }

  async #writeSome(piece: Buffer): Promise<number> {
    try {
      return writeSync(this.#fd, piece);
    } catch (cause) {
      if (errnoOf(cause) !== 'EAGAIN') throw failed(errnoOf(cause), cause);
      return this.#wait(piece.subarray(0, ATOMIC));
    }
  }

  /** Waits until the reader takes `piece`. */
  #wait(piece: Buffer): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#stop = reject;
      this.#waiter?.write(piece, (error) => {
        this.#stop = undefined;
        if (error) reject(failed(errnoOf(error), error));
        else resolve(piece.length);
      });
    });
  }
}

function failed(errno: string | undefined, cause?: unknown): MqError {
  if (errno === 'EPIPE')
    return new MqError('READERGONE', 'the reader of standard output went away', { cause });
  return new MqError('OUTPUT', `standard output cannot be written: ${errno}`, { cause });
}
