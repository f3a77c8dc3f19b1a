import type { Lease } from '../client/leaser.ts';

export interface ExecutionOptions {
  command: readonly [string, ...string[]];
  /** The bytes behind the message on standard input. */
  end: Buffer;
  /** Whether the output of the command is kept, instead of printed. */
  isKept: boolean;
  /** The size of the longest output that is kept. */
  most: number;
  /** The command's standard output, where it is not kept, and its standard error: those of mq, or an end of a pipe. */
  stdout: number | 'inherited';
  stderr: number | 'inherited';
  /** Whether the command has the terminal, and no session of its own. */
  hasTerminal: boolean;
}

/** How a command ended. */
export interface End {
  /** Its exit status, the signal that ended it, or the reason why it cannot have this message. */
  status: number | NodeJS.Signals | string;
  /** The milliseconds that it ran. */
  time: number;
}

/**
 * One run of the command of `mq work`, for one message. Its standard input is a file without a name, so that it can
 * read the message in any way, or not at all. Output that is kept goes to another such file.
 */
export interface Execution {
  /** Rejected with NOTFOUND, NOTEXECUTABLE, IOERROR, DISKFULL when the command cannot be started for any message. */
  readonly ended: Promise<End>;
  /** The size of the output that is kept, once the command has ended. */
  readonly outputSize: number;
  /** That output, piece by piece, unless it is too long. */
  output(): Iterable<Buffer>;
  /** Sends a signal to all processes of the command that are still in its group. */
  kill(signal: NodeJS.Signals): void;
  /** Drops the output. */
  close(): void;
}

/** The part of an argument that the message replaces. */
export const PLACE = '{}';

/** Whether the message stands in the arguments, and not on standard input. */
export function isArgument([, ...args]: ExecutionOptions['command']): boolean {
  return args.some((arg) => arg.includes(PLACE));
}

/** The variables that tell a command what it works on; undefined: it has none of that name. */
export function variablesOf({
  queue,
  id,
  origin,
  token,
  attempt,
}: Lease): Record<Variable, string | undefined> {
  return {
    MQ_QUEUE: queue,
    MQ_ID: String(id),
    MQ_ORIGIN: origin,
    MQ_LEASE: token,
    MQ_ATTEMPT: String(attempt),
  };
}

export const VARIABLES = ['MQ_QUEUE', 'MQ_ID', 'MQ_ORIGIN', 'MQ_LEASE', 'MQ_ATTEMPT'] as const;
type Variable = (typeof VARIABLES)[number];

/** Reasons why a message cannot be an argument. */
export const TOO_LONG = 'it is too long for an argument';
export const HOLDS_NUL = 'an argument cannot hold the NUL in it';
