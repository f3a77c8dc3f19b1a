import { closeSync } from 'node:fs';
import type { Direction } from '../protocol/requests.ts';
import { openPipe } from '../stdio/temporary.ts';
import { type Child, noFile, startChild } from './child.ts';

interface PipeEnds {
  reader: number;
  writer: number;
}

/** The command of `mq pipe`, whose standard input and output are the end of the pipe. */
export class PipedCommand {
  /** Descriptors of its standard input and output; undefined where those are not the pipe's. */
  readonly input: number | undefined;
  readonly output: number | undefined;
  readonly #child: Child;

  /** @throws MqError IOERROR when no pipe to it can be made */
  static async start(command: readonly [string, ...string[]], direction: Direction): Promise<PipedCommand> {
    const incoming = direction === 'send' ? undefined : await pipe('writer');
    const outgoing = direction === 'recv' ? undefined : await pipe('reader');
    return new PipedCommand(command, incoming, outgoing);
  }

  private constructor(
    command: readonly [string, ...string[]],
    incoming: PipeEnds | undefined,
    outgoing: PipeEnds | undefined,
  ) {
    this.input = incoming?.writer;
    this.output = outgoing?.reader;
    const stdio = [incoming?.reader ?? 'inherit', outgoing?.writer ?? 'inherit', 'inherit'] as const;
    this.#child = startChild(command, { stdio: [...stdio] });
    for (const fd of [incoming?.reader, outgoing?.writer]) if (fd !== undefined) closeSync(fd);
  }

  /** @see Child.ended */
  get ended(): Promise<number | NodeJS.Signals> {
    return this.#child.ended;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.process?.kill(signal);
  }
}

async function pipe(ours: 'reader' | 'writer'): Promise<PipeEnds> {
  try {
    return await openPipe(ours);
  } catch (cause) {
    throw noFile('a pipe cannot be made', cause);
  }
}
