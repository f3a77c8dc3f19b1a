import { isUtf8 } from 'node:buffer';
import type { StdioOptions } from 'node:child_process';
import { closeSync, constants, fstatSync, readSync } from 'node:fs';
import type { Lease } from '../client/leaser.ts';
import { now } from '../clock.ts';
import { errnoOf, type MqError } from '../errors.ts';
import { openTemporary, temporaryWith } from '../stdio/temporary.ts';
import { type Child, findCommand, noTemporary, startChild } from './child.ts';
import {
  type End,
  type Execution,
  type ExecutionOptions,
  HOLDS_NUL,
  isArgument,
  PLACE,
  TOO_LONG,
  variablesOf,
} from './execution.ts';

/** Bytes, without the NUL: MAX_ARG_STRLEN of execve(2), with pages of 4 KiB. */
const LONGEST_ARGUMENT = 128 * 1024 - 1;

/** Bytes of a message that make one argument of the shell: each is written in five characters. */
const PIECE = 24 * 1024;

/** Bytes of output read at a time. */
const CHUNK = 64 * 1024;

/** Read once: process.env asks the C library for each of its variables. */
const environment: NodeJS.ProcessEnv = { ...process.env };

/** A run that Node starts, where there is no native starter. */
export class Spawned implements Execution {
  readonly ended: Promise<End>;
  readonly #child: Child | undefined;
  readonly #output: number | undefined;
  readonly #hasTerminal: boolean;

  /** @throws MqError IOERROR, DISKFULL when there can be no file */
  constructor(lease: Lease, options: ExecutionOptions) {
    const { command, end, isKept, stdout, stderr, hasTerminal } = options;
    const begun = now();
    const ended = (status: End['status']): End => ({ status, time: now() - begun });
    const isInArguments = isArgument(command);
    this.#hasTerminal = hasTerminal;
    if (isInArguments && lease.body.includes(0)) {
      this.ended = Promise.resolve(ended(HOLDS_NUL));
      return;
    }
    if (isInArguments && !isUtf8(lease.body) && isTooLong(command, lease.body)) {
      this.ended = Promise.resolve(ended(TOO_LONG));
      return;
    }
    const input = isInArguments ? undefined : fileFrom(() => temporaryWith(Buffer.concat([lease.body, end])));
    this.#output = isKept ? fileFrom(() => openTemporary(constants.O_APPEND)) : undefined;
    const ours = (stream: number | 'inherited') => (stream === 'inherited' ? 'inherit' : stream);
    const stdio: StdioOptions = [
      input ?? (hasTerminal ? 'inherit' : 'ignore'),
      this.#output ?? ours(stdout),
      ours(stderr),
    ];
    const env = { ...environment, ...variablesOf(lease) };
    const line = isInArguments ? withMessage(command, lease.body) : command;
    this.#child = startChild(line, { detached: !hasTerminal, stdio, env });
    if (input !== undefined) closeSync(input);
    this.ended = this.#child.ended.then(ended, (error: MqError) => {
      if (errnoOf(error.cause) === 'E2BIG') return ended(TOO_LONG);
      throw error;
    });
  }

  kill(signal: NodeJS.Signals): void {
    const pid = this.#child?.process?.pid;
    if (pid === undefined) return;
    try {
      process.kill(this.#hasTerminal ? pid : -pid, signal);
    } catch (error) {
      if (errnoOf(error) !== 'ESRCH') throw error;
    }
  }

  get outputSize(): number {
    return this.#output === undefined ? 0 : fstatSync(this.#output).size;
  }

  *output(): Generator<Buffer> {
    if (this.#output === undefined) return;
    for (let at = 0; ; ) {
      const chunk = Buffer.allocUnsafeSlow(CHUNK);
      const size = readSync(this.#output, chunk, 0, CHUNK, at);
      if (size === 0) return;
      at += size;
      yield chunk.subarray(0, size);
    }
  }

  close(): void {
    if (this.#output !== undefined) closeSync(this.#output);
  }
}

function fileFrom(open: () => number): number {
  try {
    return open();
  } catch (cause) {
    throw noTemporary(cause);
  }
}

/**
 * The command line with the message in its place.
 * @throws MqError NOTFOUND, NOTEXECUTABLE for a command that a shell starts: its status would not tell
 */
function withMessage([file, ...args]: ExecutionOptions['command'], body: Buffer): [string, ...string[]] {
  if (isUtf8(body)) {
    const text = body.toString();
    return [file, ...args.map((arg) => arg.split(PLACE).join(text))];
  }
  findCommand(file);
  // Node hands on arguments in UTF-8 only; printf(1) makes any bytes.
  const pieces: string[] = [];
  for (let at = 0; at < body.length; at += PIECE) pieces.push(escaped(body.subarray(at, at + PIECE)));
  return ['/bin/sh', '-c', INSERT, 'sh', PLACE, String(pieces.length), ...pieces, file, ...args];
}

/** Bytes in the format %b of printf(1). */
function escaped(bytes: Buffer): string {
  return [...bytes].map((byte) => `\\0${byte.toString(8).padStart(3, '0')}`).join('');
}

/** Whether an argument would be longer than the kernel takes: the status of a shell would not tell. */
function isTooLong(command: ExecutionOptions['command'], body: Buffer): boolean {
  return command.some((arg) => {
    const texts = arg.split(PLACE);
    return Buffer.byteLength(texts.join('')) + (texts.length - 1) * body.length > LONGEST_ARGUMENT;
  });
}

/** A script that joins the message from $2 pieces, from $3 on, replaces each $1 in the arguments behind them by it, and becomes that command. */
const INSERT = `
place=$1
count=$2
shift 2
message=
while [ "$count" -gt 0 ]; do
  piece=$(printf '%b.' "$1")
  message=$message\${piece%.}
  shift
  count=$((count - 1))
done
command=$1
shift
count=$#
while [ "$count" -gt 0 ]; do
  rest=$1
  arg=
  shift
  while case $rest in *"$place"*) true ;; *) false ;; esac; do
    arg=$arg\${rest%%"$place"*}$message
    rest=\${rest#*"$place"}
  done
  set -- "$@" "$arg$rest"
  count=$((count - 1))
done
exec "$command" "$@"
`;
