import { closeSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import { passOn } from '../output/terminal.ts';
import { openPipe } from '../stdio/temporary.ts';
import { tty } from '../tty.ts';

/** Bytes read at a time. */
const CHUNK = 64 * 1024;

/**
 * The terminal as the commands of `mq work` see it while a line of progress is there: a pipe. What they
 * write to it is written to the terminal once that line has made way.
 */
export class Echo {
  /** What a command gets for standard output and error. */
  readonly stdout: number | 'inherit';
  readonly stderr: number;
  readonly #reader: number;
  readonly #socket: Socket;

  private constructor(reader: number, writer: number) {
    this.stdout = tty().isatty(1) ? writer : 'inherit';
    this.stderr = writer;
    this.#reader = reader;
    this.#socket = new Socket({ fd: reader, readable: true, writable: false });
    this.#socket.on('data', passOn);
  }

  static async open(): Promise<Echo> {
    const { reader, writer } = await openPipe('reader');
    return new Echo(reader, writer);
  }

  /** Passes on what is there, and nothing more. */
  end(): void {
    closeSync(this.stderr);
    const chunk = Buffer.allocUnsafe(CHUNK);
    try {
      for (let size = -1; size !== 0; ) {
        size = readSync(this.#reader, chunk);
        passOn(chunk.subarray(0, size));
      }
    } catch {
      // EAGAIN: nothing is there, and a process that a command left behind may write still.
    }
    this.#socket.destroy();
  }
}
