import { constants, fstatSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { WriteStream } from 'node:tty';
import { errnoOf, MqError } from '../errors.ts';
import { reasonOf } from '../reasons.ts';
import { TEXTS } from '../texts.ts';
import { tty } from '../tty.ts';
import { letGo, reopen, wasClosed } from './descriptors.ts';

/** Bytes that a pipe takes as a whole or not at all (PIPE_BUF of pipe(7)). */
const ATOMIC = 4096;

/**
 * Standard output, or a pipe of this process, with an exact account of the bytes that were taken: a message has
 * left its queue when the write(2) of its last byte has succeeded. A slow reader does not block the process.
 */
export class Output {
  /** Bytes that write(2) took. */
  taken = 0;
  readonly #fd: number;
  /** The stream that waits for a slow reader; a file has none. */
  readonly #waiter: Socket | WriteStream | undefined;
  readonly #isStandard: boolean;
  #stop: ((error: MqError) => void) | undefined;
  #stopped: MqError | undefined;

  /**
   * @param pipe the descriptor of a pipe that does not block, instead of standard output
   * @throws MqError OUTPUT when standard output is closed
   */
  constructor(pipe?: number) {
    this.#isStandard = pipe === undefined;
    [this.#fd, this.#waiter] = pipe === undefined ? openStandard() : [pipe, writing(pipe)];
    // When the reader has gone away, the next write says so.
    this.#waiter?.on('error', () => {});
  }

  /**
   * @param ends where messages end in `chunk`, the last one at its end: a message of up to 4096
   *   bytes goes into a pipe as a whole or not at all, so that no interruption leaves half of one
   *   there, and several writers do not mix theirs up
   * @returns fulfilled when write(2) has taken all of it; undefined when it has at once
   * @throws MqError READERGONE (EPIPE), OUTPUT (anything else), INTERRUPTED (by `stop`)
   */
  write(chunk: Buffer, ends: Uint32Array = Uint32Array.of(chunk.length)): Promise<void> | undefined {
    return this.#writeFrom(0, chunk, ends, 0);
  }

  /** Refuses further writes; a write that waits for its reader fails with INTERRUPTED. */
  stop(): void {
    this.#stopped = new MqError('INTERRUPTED', 'interrupted');
    if (this.#stop === undefined) return;
    // Or its reader could take later what is not counted.
    this.#waiter?.destroy();
    this.#stop(this.#stopped);
  }

  /** Closes it, so that its reader comes to an end. */
  close(): void {
    this.#waiter?.destroy();
    if (this.#isStandard) letGo(1);
  }

  /** Writes `chunk` from `start` on. `next` is the index of the first end that can be behind `start`. */
  #writeFrom(start: number, chunk: Buffer, ends: Uint32Array, next: number): Promise<void> | undefined {
    let at = start;
    while (at < chunk.length) {
      if (this.#stopped) throw this.#stopped;
      let end = chunk.length;
      if (this.#waiter) {
        while ((ends[next] as number) <= at) next++;
        while ((ends[next + 1] ?? Number.POSITIVE_INFINITY) <= at + ATOMIC) next++;
        end = ends[next] as number;
      }
      const piece = chunk.subarray(at, end);
      const size = this.#writeSome(piece);
      if (size === undefined) {
        const first = piece.subarray(0, ATOMIC);
        const begun = at;
        return this.#wait(first).then(() => this.#writeFrom(begun + first.length, chunk, ends, next));
      }
      at += size;
      this.taken += size;
    }
    return undefined;
  }

  /** The number of bytes that were taken; undefined: the reader has to catch up first. */
  #writeSome(piece: Buffer): number | undefined {
    try {
      return writeSync(this.#fd, piece);
    } catch (cause) {
      if (errnoOf(cause) !== 'EAGAIN') throw failed(cause);
      return undefined;
    }
  }

  /** Waits until the reader takes `piece`. */
  #wait(piece: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stop = reject;
      this.#waiter?.write(piece, (error) => {
        this.#stop = undefined;
        if (error) reject(failed(error));
        else {
          this.taken += piece.length;
          resolve();
        }
      });
    });
  }
}

function openStandard(): [fd: number, waiter: Socket | WriteStream | undefined] {
  const stat = fstatSync(1);
  if (stat.isCharacterDevice() && wasClosed(1)) throw new MqError('OUTPUT', 'standard output is closed');
  const { isatty, WriteStream } = tty();
  const isTerminal = isatty(1);
  if (!stat.isFIFO() && !stat.isSocket() && !isTerminal) return [1, undefined];
  const fd = reopen(1, constants.O_WRONLY);
  return [fd, isTerminal ? new WriteStream(fd) : writing(fd)];
}

function writing(fd: number): Socket {
  return new Socket({ fd, readable: false, writable: true });
}

function failed(cause: unknown): MqError {
  if (errnoOf(cause) === 'EPIPE')
    return new MqError('READERGONE', 'the reader of standard output went away', { cause });
  return new MqError('OUTPUT', `${TEXTS.unwritten}${reasonOf(cause)}`, { cause });
}
