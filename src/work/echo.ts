import { readSync } from 'node:fs';
import { Socket } from 'node:net';
import { passOn } from '../output/terminal.ts';
import { tty } from '../tty.ts';
import type { PipeToCommand } from './command-pipe.ts';

/** Bytes read at a time. */
const CHUNK = 64 * 1024;

/**
 * A pipe that the commands of `mq work` have in place of the terminal while a line of progress is there. Their
 * output goes on to the terminal once that line has been taken away.
 */
export class Echo {
  /** Standard output and error of the commands. */
  readonly stdout: number | 'inherited';
  readonly stderr: number;
  readonly #pipe: PipeToCommand;
  readonly #socket: Socket;

  /** @param pipe its reader is here */
  constructor(pipe: PipeToCommand) {
    this.stdout = tty().isatty(1) ? pipe.theirs : 'inherited';
    this.stderr = pipe.theirs;
    this.#pipe = pipe;
    this.#socket = new Socket({ fd: pipe.ours, readable: true, writable: false });
    this.#socket.on('data', passOn);
  }

  /** Passes on what is in the pipe, and ends. */
  end(): void {
    this.#pipe.close();
    const chunk = Buffer.allocUnsafe(CHUNK);
    try {
      for (let size = -1; size !== 0; ) {
        size = readSync(this.#pipe.ours, chunk);
        passOn(chunk.subarray(0, size));
      }
    } catch {
      // EAGAIN: the pipe is empty, though a process that a command left behind still has it open.
    }
    this.#socket.destroy();
  }
}
