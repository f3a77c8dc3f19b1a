import type { Direction } from '../protocol/requests.ts';
import { cannotStart, startChild } from './child.ts';
import { openPipeTo, type PipeToCommand } from './command-pipe.ts';
import type { Starter } from './starter.ts';

/** The command of `mq pipe`, whose standard input and output are the end of the pipe. */
export class PipedCommand {
  /** Descriptors of its standard input and output; undefined where those are not the pipe's. */
  readonly input: number | undefined;
  readonly output: number | undefined;
  /** Its exit status, or the signal that ended it. Rejected with NOTFOUND, NOTEXECUTABLE, IOERROR when it cannot be started. */
  readonly ended: Promise<number | NodeJS.Signals>;
  readonly kill: (signal: NodeJS.Signals) => void;

  /** @throws MqError IOERROR when no pipe to it can be made */
  static async start(
    starter: Starter | undefined,
    command: readonly [string, ...string[]],
    direction: Direction,
  ): Promise<PipedCommand> {
    const incoming = direction === 'send' ? undefined : await openPipeTo(starter, 'writer');
    const outgoing = direction === 'recv' ? undefined : await openPipeTo(starter, 'reader');
    return new PipedCommand(starter, command, incoming, outgoing);
  }

  private constructor(
    starter: Starter | undefined,
    command: readonly [string, ...string[]],
    incoming: PipeToCommand | undefined,
    outgoing: PipeToCommand | undefined,
  ) {
    this.input = incoming?.ours;
    this.output = outgoing?.ours;
    const ends = [incoming?.theirs, outgoing?.theirs] as const;
    if (starter === undefined) {
      const child = startChild(command, { stdio: [...ends.map((end) => end ?? 'inherit'), 'inherit'] });
      this.ended = child.ended;
      this.kill = (signal) => child.process?.kill(signal);
    } else {
      const { promise, resolve, reject } = Promise.withResolvers<number | NodeJS.Signals>();
      const [stdin, stdout] = ends.map((end) => end ?? ('inherited' as const));
      const start = {
        place: 'group' as const,
        streams: [stdin ?? 'inherited', stdout ?? 'inherited', 'inherited'] as const,
        variables: '',
        message: [],
        most: 0,
      };
      const id = starter.start(start, (outcome) => {
        if ('status' in outcome) resolve(outcome.status);
        else reject(cannotStart(command[0], outcome.cause));
      });
      this.ended = promise;
      this.kill = (signal) => starter.signal(id, signal);
    }
    for (const pipe of [incoming, outgoing]) pipe?.close();
  }
}
