import { spawnSync } from 'node:child_process';
import {
  closeSync,
  constants,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import type { Random } from './random.ts';
import type { Run } from './run.ts';

/** Bytes that a pipe holds (pipe(7)). */
export const PIPE_SIZE = 64 * 1024;

/** Pipes that one mkfifo(1) makes. */
const AT_ONCE = 32;

/** Time between two looks at a pipe that was empty or full, in ms. */
const LOOK_EVERY = 5;

/** Time between two looks whether to wait on, in ms. */
const SLICE = 100;

/** Pipes of which the campaign has one end: their content outlives the process that had the other. */
export class Pipes {
  readonly #folder: string;
  #names: string[] = [];
  #made = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Makes a pipe. Its end `far` is for the process, and blocks; `near` does not. */
  open(near: 'reads' | 'writes'): { near: number; far: number } {
    const path = this.#next();
    const both = openSync(path, constants.O_RDWR);
    const reads = openSync(path, constants.O_RDONLY | (near === 'reads' ? constants.O_NONBLOCK : 0));
    const writes = openSync(path, constants.O_WRONLY | (near === 'writes' ? constants.O_NONBLOCK : 0));
    closeSync(both);
    unlinkSync(path);
    return near === 'reads' ? { near: reads, far: writes } : { near: writes, far: reads };
  }

  #next(): string {
    if (this.#names.length === 0) {
      const names = Array.from({ length: AT_ONCE }, () => join(this.#folder, `pipe-${this.#made++}`));
      const { status, stderr } = spawnSync('mkfifo', names);
      if (status !== 0) throw new Error(`mkfifo: ${stderr}`);
      this.#names = names;
    }
    return this.#names.pop() as string;
  }
}

export interface Piece {
  bytes: Buffer;
  /** Time to wait before it, in ms. */
  after: number;
}

/** Standard input of a command, and the number of bytes that the kernel took. */
export class Feed {
  /** The end for the command. */
  readonly far: number | 'pipe';
  /** Bytes that the command may have read. */
  given = 0;
  /** Whether the command may have seen the end. */
  hasEnded = false;
  readonly #near: number | undefined;

  /** @param pipes undefined: a pair of sockets, which Node calls a pipe */
  constructor(pipes: Pipes | undefined) {
    const ends = pipes?.open('writes');
    this.#near = ends?.near;
    this.far = ends?.far ?? 'pipe';
  }

  /** Writes the pieces and the end; returns when that is done or the run has ended. */
  async give(run: Run, pieces: Iterable<Piece>, stop: () => boolean): Promise<void> {
    if (typeof this.far === 'number') closeSync(this.far);
    // A command may end before it has read everything.
    run.child.stdin?.on('error', () => {});
    for (const { bytes, after } of pieces) {
      for (let left = after; left > 0 && run.isLive && !stop(); left -= SLICE)
        await Promise.race([delay(Math.min(left, SLICE)), run.exited]);
      if (!run.isLive) break;
      if (!(await this.#write(run, bytes))) break;
    }
    this.hasEnded = true;
    if (this.#near === undefined) run.child.stdin?.end();
    else closeSync(this.#near);
  }

  async #write(run: Run, bytes: Buffer): Promise<boolean> {
    if (this.#near === undefined) {
      this.given += bytes.length;
      if (run.child.stdin?.write(bytes) === false)
        await Promise.race([new Promise((resolve) => run.child.stdin?.once('drain', resolve)), run.exited]);
      return run.isLive;
    }
    for (let at = 0; at < bytes.length; ) {
      try {
        const size = writeSync(this.#near, bytes, at);
        at += size;
        this.given += size;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EPIPE') return false;
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
        await Promise.race([delay(LOOK_EVERY), run.exited]);
        if (!run.isLive) return false;
      }
    }
    return true;
  }
}

/** Standard output of a command: all of it, however the command ends. */
export interface Sink {
  /** The end for the command. */
  readonly far: number | 'pipe';
  /** @returns the output of the command, once it has ended */
  finish(run: Run): Promise<Buffer>;
}

export class FileSink implements Sink {
  readonly far: number;
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
    this.far = openSync(path, 'a');
  }

  async finish(run: Run): Promise<Buffer> {
    closeSync(this.far);
    await run.exited;
    const bytes = readFileSync(this.#path);
    rmSync(this.#path);
    return bytes;
  }
}

export class SocketSink implements Sink {
  readonly far = 'pipe';

  async finish(run: Run): Promise<Buffer> {
    const chunks: Buffer[] = [];
    const stream = run.child.stdout as NodeJS.ReadableStream;
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    await new Promise((resolve) => stream.on('end', resolve));
    await run.exited;
    return Buffer.concat(chunks);
  }
}

export class PipeSink implements Sink {
  readonly far: number;
  /** Whether it stopped reading for good before the command had ended. */
  hasLeft = false;
  readonly #near: number;
  readonly #random: Random;
  readonly #pace: Pace;

  constructor(pipes: Pipes, random: Random, pace: Pace) {
    const ends = pipes.open('reads');
    this.far = ends.far;
    this.#near = ends.near;
    this.#random = random;
    this.#pace = pace;
  }

  async finish(run: Run): Promise<Buffer> {
    closeSync(this.far);
    const { most, pause, leavesAfter = Infinity } = this.#pace;
    const chunks: Buffer[] = [];
    let read = 0;
    for (;;) {
      // Asked before the read, which then finds all bytes of a command that has ended.
      const wasLive = run.isLive;
      const chunk = this.#read(wasLive ? this.#random.scale(1, most) : PIPE_SIZE);
      if (chunk?.length === 0 || (chunk === undefined && !wasLive)) break;
      if (chunk !== undefined) chunks.push(chunk);
      read += chunk?.length ?? 0;
      if (read > leavesAfter && wasLive) {
        this.hasLeft = true;
        break;
      }
      const wait = chunk === undefined ? LOOK_EVERY : pause;
      await (wait > 0 ? Promise.race([delay(wait), run.exited]) : turn());
    }
    closeSync(this.#near);
    await run.exited;
    return Buffer.concat(chunks);
  }

  /** @returns undefined when nothing is there yet; empty at the end */
  #read(size: number): Buffer | undefined {
    const buffer = Buffer.allocUnsafeSlow(size);
    try {
      return buffer.subarray(0, readSync(this.#near, buffer, 0, size, null));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return undefined;
      throw error;
    }
  }
}

/** The pace of a reader. */
export interface Pace {
  /** Most bytes that are read at a time. */
  most: number;
  /** Time between two reads, in ms. */
  pause: number;
  /** Bytes after which the reader goes away. */
  leavesAfter?: number;
}
