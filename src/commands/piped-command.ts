import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import type { Direction } from '../protocol/requests.ts';
import { openPipe } from '../temporary.ts';
import { cannotStart, noFile } from './execution.ts';

interface Pipe {
  reader: number;
  writer: number;
}

/** The command of `mq pipe`: what it reads and prints is the end of the pipe. */
export class PipedCommand {
  /** Descriptors of what it reads and of what it prints; undefined where that is not the pipe's. */
  readonly input: number | undefined;
  readonly output: number | undefined;
  /** Its exit status, or the signal that ended it. @throws MqError NOTFOUND, NOTEXECUTABLE, IOERROR */
  readonly ended: Promise<number | NodeJS.Signals>;
  readonly #child: ChildProcess | undefined;

  /** @throws MqError IOERROR when there can be no pipe to it */
  static async start(command: readonly [string, ...string[]], direction: Direction): Promise<PipedCommand> {
    const incoming = direction === 'send' ? undefined : await pipe('writer');
    const outgoing = direction === 'recv' ? undefined : await pipe('reader');
    return new PipedCommand(command, incoming, outgoing);
  }

  private constructor(
    [file, ...args]: readonly [string, ...string[]],
    incoming: Pipe | undefined,
    outgoing: Pipe | undefined,
  ) {
    this.input = incoming?.writer;
    this.output = outgoing?.reader;
    const { promise, resolve, reject } = Promise.withResolvers<number | NodeJS.Signals>();
    this.ended = promise;
    const failed = (cause: unknown) => reject(cannotStart(file, cause));
    try {
      const stdio = [incoming?.reader ?? 'inherit', outgoing?.writer ?? 'inherit', 'inherit'] as const;
      this.#child = spawn(file, args, { stdio: [...stdio] });
      this.#child.on('exit', (code, signal) => resolve(signal ?? (code as number)));
      this.#child.on('error', failed);
    } catch (cause) {
      // Some errors Node throws, others it tells later.
      failed(cause);
    } finally {
      for (const fd of [incoming?.reader, outgoing?.writer]) if (fd !== undefined) closeSync(fd);
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }
}

async function pipe(ours: 'reader' | 'writer'): Promise<Pipe> {
  try {
    return await openPipe(ours);
  } catch (cause) {
    throw noFile('a pipe cannot be made', cause);
  }
}
