import { fstatSync } from 'node:fs';
import type { Exit, Invocation } from '../cli/command.ts';
import { deadlineOf } from '../cli/options.ts';
import { catchSignals } from '../cli/signals.ts';
import { PipeEnd } from '../client/pipe-end.ts';
import { type Code, MqError } from '../errors.ts';
import { checkName } from '../names.ts';
import { startProgress } from '../output/progress/show.ts';
import { note } from '../output/terminal.ts';
import type { Direction } from '../protocol/requests.ts';
import { Input } from '../stdio/input.ts';
import { Output } from '../stdio/output.ts';
import { tty } from '../tty.ts';
import { lookUp } from '../work/child.ts';
import { PipedCommand } from '../work/piped-command.ts';
import { Starter } from '../work/starter.ts';

/** Milliseconds after which somebody at a terminal is told what the command waits for. */
const SILENCE = 1000;

/** mq pipe: one end of a pipe; its bytes are standard input and output, or a command's. */
export async function run(invocation: Invocation): Promise<Exit> {
  const { command, options, places, start, quiet } = invocation;
  const [name] = invocation.operands as [string];
  const direction = directionOf(options);
  const target = { pipe: checkName(name), direction, deadline: deadlineOf(options) };
  const starter = Starter.take();
  const isCommand = command.length > 0;
  // Before the other end is let in, so that it is spared an end that cannot be used.
  const input = direction === 'recv' || isCommand ? undefined : new Input();
  input?.check();
  const output = direction === 'send' || isCommand ? undefined : new Output();
  if (isCommand) await lookUp(starter, command);

  const end = await waitFor(PipeEnd.open(places, start, target), name, quiet);
  if (end === undefined) throw new MqError('ALONE', 'nobody opened the other end in time');
  if (isCommand) return serve(end, starter, command as [string, ...string[]], direction);
  const endProgress = startProgress({
    unit: 'bytes',
    done: () => end.sent,
    total: () => fstatSync(0).size,
    // Output from the other end may be on the same terminal.
    quiet: quiet || input === undefined || (output !== undefined && tty().isatty(1)),
    file: 0,
  });
  try {
    await carry(end, input, output);
    return 0;
  } catch (error) {
    if (isCode(error, 'READERGONE')) return 'SIGPIPE';
    throw error;
  } finally {
    endProgress();
  }
}

/** Makes a command the end. Its status is that of mq, unless the pipe failed. */
async function serve(
  end: PipeEnd,
  starter: Starter | undefined,
  argv: [string, ...string[]],
  direction: Direction,
): Promise<Exit> {
  const command = await PipedCommand.start(starter, argv, direction);
  const signal = catchSignals(() => {
    end.destroy();
    const caught = signal();
    // A command gets the SIGINT of Ctrl-C by itself.
    if (caught !== undefined && caught !== 'SIGINT') command.kill(caught);
  });
  const input = command.output === undefined ? undefined : new Input(command.output);
  const output = command.input === undefined ? undefined : new Output(command.input);
  const carried = carry(end, input, output, command.ended).catch((error) => error);
  const status = await command.ended;
  const error = await carried;
  const caught = signal();
  if (caught !== undefined) return caught;
  if (error !== undefined) throw error;
  return status;
}

/**
 * Carries bytes both ways until both are over, each by itself.
 * @param reader settled when the reader of the output has ended, where that can be known: it may leave early
 * @throws MqError the error that ended the pipe before that
 */
async function carry(
  end: PipeEnd,
  input: Input | undefined,
  output: Output | undefined,
  reader?: Promise<unknown>,
): Promise<void> {
  let failure: unknown;
  const failed = (error: unknown) => {
    failure ??= error;
    // CLOSED: nothing more can be sent, but more may come.
    if (!isCode(error, 'CLOSED')) end.destroy();
  };
  const sending = input && send(end, input).catch(failed);
  const receiving = output && receive(end, output, reader !== undefined).catch(failed);
  if (reader) void Promise.allSettled([reader, sending]).then(() => end.refuse());
  await Promise.all([sending, receiving]);
  await end.close();
  if (failure !== undefined) throw failure;
}

async function send(end: PipeEnd, input: Input): Promise<void> {
  void end.vain.then(() => input.close());
  await input.read((piece) => end.send(piece));
  await end.finish();
}

async function receive(end: PipeEnd, output: Output, mayLeave: boolean): Promise<void> {
  try {
    await end.receive((piece) => output.write(piece));
  } catch (error) {
    if (!mayLeave || !isCode(error, 'READERGONE')) throw error;
    await end.refuse();
  } finally {
    output.close();
  }
}

async function waitFor<T>(opening: Promise<T>, name: string, quiet: boolean): Promise<T> {
  const isWatched = !quiet && tty().isatty(2);
  const timer = setTimeout(() => {
    if (isWatched) note(`pipe ${name}: waiting for the other end`);
  }, SILENCE);
  try {
    return await opening;
  } finally {
    clearTimeout(timer);
  }
}

function directionOf(options: Invocation['options']): Direction {
  if (options['send'] && options['recv'])
    throw new MqError('USAGE', '--send and --recv exclude each other: without them bytes go both ways');
  if (options['send']) return 'send';
  return options['recv'] ? 'recv' : 'both';
}

function isCode(error: unknown, code: Code): boolean {
  return error instanceof MqError && error.code === code;
}
