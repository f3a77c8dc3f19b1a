import { closeSync, constants, fstatSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import type { ReadStream } from 'node:tty';
import { errnoOf, MqError } from '../errors.ts';
import { takeInput } from '../inherited.ts';
import { reasonOf } from '../reasons.ts';
import { tty } from '../tty.ts';
import { letGo, reopen, wasClosed } from './descriptors.ts';

/** Bytes of one read(2). */
const CHUNK = 64 * 1024;

/** Chunks after which answers and signals have their turn: a file never makes its reader wait. */
const TURN_AFTER = 16;

/** Takes a chunk; undefined: that is done already. An error ends the reading. */
type TakeChunk = (chunk: Buffer) => Promise<void> | undefined;

/**
 * Standard input, or a pipe of this process, chunk by chunk as it comes. Reading a pipe does not block the
 * process, which handles answers and signals meanwhile, and does not make it non-blocking for others who share it.
 */
export class Input {
  readonly #pipe: number | undefined;
  #stream: Socket | ReadStream | undefined;
  #stopped = false;

  /** @param pipe the descriptor of a pipe that does not block, instead of standard input */
  constructor(pipe?: number) {
    this.#pipe = pipe;
  }

  /** @throws MqError USAGE when it is closed */
  check(): void {
    if (this.#pipe === undefined && wasClosed(0)) throw new MqError('USAGE', 'standard input is closed');
  }

  /**
   * Reads to the end, or until it is stopped.
   * @returns whether it came to the end
   * @throws MqError USAGE when it cannot be read; what `take` throws
   */
  async read(take: TakeChunk): Promise<boolean> {
    this.check();
    const early = this.#pipe === undefined ? takeInput() : undefined;
    if (early !== undefined) await take(early);
    const { isatty, ReadStream } = tty();
    const isTerminal = this.#pipe === undefined && isatty(0);
    const stat = fstatSync(this.#pipe ?? 0);
    const fd = this.#pipe ?? (stat.isFIFO() ? reopen(0, constants.O_RDONLY) : 0);
    // A stream reads what could block.
    const mayBlock = isTerminal || stat.isSocket() || (stat.isFIFO() && fd === 0);
    if (!mayBlock && (await this.#readNow(fd, take))) return !this.#stopped;
    this.#stream = isTerminal ? new ReadStream(0) : new Socket({ fd, readable: true, writable: false });
    await flow(this.#stream, take);
    return !this.#stopped;
  }

  /** Ends the reading, though there may be more. */
  stop(): void {
    this.#stopped = true;
    this.#stream?.destroy();
  }

  /** Ends the reading, and closes the input: whoever writes there gets SIGPIPE. */
  close(): void {
    this.stop();
    if (this.#pipe === undefined) letGo(0);
  }

  /**
   * Reads a file, or what a pipe holds now. A stream would not do for a FIFO that all writers had left before it
   * was opened: poll(2) does not tell of its end.
   * @returns whether that was all
   */
  async #readNow(fd: number, take: TakeChunk): Promise<boolean> {
    for (let chunks = 1; !this.#stopped; chunks++) {
      const chunk = readNow(fd);
      if (chunk === undefined) return false;
      if (chunk.length === 0) break;
      await take(chunk);
      if (chunks % TURN_AFTER === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    if (fd !== 0) closeSync(fd);
    return true;
  }
}

/** One chunk; undefined: none has come yet. */
function readNow(fd: number): Buffer | undefined {
  try {
    const buffer = Buffer.allocUnsafeSlow(CHUNK);
    return buffer.subarray(0, readSync(fd, buffer, 0, CHUNK, null));
  } catch (cause) {
    if (errnoOf(cause) === 'EAGAIN') return undefined;
    throw unreadable(cause);
  }
}

function flow(stream: Socket | ReadStream, take: TakeChunk): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: unknown) => {
      stream.destroy();
      reject(error);
    };
    stream.on('data', (chunk: Buffer) => {
      const taking = take(chunk);
      if (taking === undefined) return;
      stream.pause();
      taking.then(() => stream.resume(), failed);
    });
    stream.on('error', (cause) => failed(unreadable(cause)));
    stream.on('close', () => resolve());
  });
}

function unreadable(cause: unknown): MqError {
  return new MqError('USAGE', `standard input cannot be read: ${reasonOf(cause)}`, { cause });
}
