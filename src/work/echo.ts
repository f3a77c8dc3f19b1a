import { closeSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import { passOn } from '../output/terminal.ts';
import { openPipe } from '../stdio/temporary.ts';
import { tty } from '../tty.ts';

/** Bytes read at a time. */
const CHUNK = 64 * 1024;

/**
 * A pipe that the commands of `mq work` have in place of the terminal while a line of progress is there. Their
 * output goes on to the terminal once that line has been taken away.
 */
export class Echo {
  /** Standard output and error of the commands. */
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

  /** Passes on what is in the pipe, and ends. */
  end(): void {
    closeSync(this.stderr);
    const chunk = Buffer.allocUnsafe(CHUNK);
    try {
      for (let size = -1; size !== 0; ) {
        size = readSync(this.#reader, chunk);
        passOn(chunk.subarray(0, size));
      }
    } catch {
      // EAGAIN: the pipe is empty, though a process that a command left behind still has it open.
    }
    this.#socket.destroy();
  }
}
