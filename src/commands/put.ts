import { fstatSync, readFileSync } from 'node:fs';
import type { Exit, Invocation } from '../cli/command.ts';
import { deadlineOf, framingOf, periodOf } from '../cli/options.ts';
import { catchSignals } from '../cli/signals.ts';
import { Producer } from '../client/producer.ts';
import { MqError } from '../errors.ts';
import { type Framing, Splitter } from '../lines.ts';
import { checkName } from '../names.ts';
import { startProgress } from '../output/progress/show.ts';
import { note } from '../output/terminal.ts';
import { type Packed, pack, pieces } from '../packed.ts';
import type { Range } from '../range.ts';
import { LEAST_PRIORITY, MOST_PRIORITY, parseInteger } from '../settings.ts';
import { Input } from '../stdio/input.ts';
import { Output } from '../stdio/output.ts';
import { TEXTS } from '../texts.ts';
import { tty } from '../tty.ts';

/** Bytes of one frame, about. */
export const FRAME = 64 * 1024;

/** The character that Node puts in the place of bytes that are no UTF-8. */
const REPLACEMENT = '\ufffd';

/** mq put: messages from the operands, or else from standard input, into a queue. */
export async function run({ operands, options, places, start, quiet }: Invocation): Promise<Exit> {
  const [name, ...messages] = operands as [string, ...string[]];
  const queue = checkName(name);
  const deadline = deadlineOf(options);
  const framing = framingOf(options);
  const { priority: text } = options;
  const priority =
    typeof text === 'string' ? parseInteger(text, '--priority', LEAST_PRIORITY, MOST_PRIORITY) : 0;
  if (messages.length > 0 && framing !== 'lines') {
    throw new MqError('USAGE', '--null and --whole are for standard input, and messages were given');
  }
  const key = keyOf(options);
  if (key !== undefined && messages.length !== 1 && framing !== 'whole')
    throw new MqError('USAGE', '--key goes with one MESSAGE, or with --whole');
  const target = {
    queue,
    priority,
    deadline,
    delay: periodOf(options, 'delay'),
    ttl: periodOf(options, 'ttl', 1),
    key,
    onIds: options['print-id'] ? printer() : undefined,
  };
  const bodies = toBytes(messages);
  if (messages.length === 0 && tty().isatty(0) && !quiet)
    note(`put ${queue}: reading from the terminal; Ctrl-D ends it`);

  const producer = await Producer.open(places, start, target);
  const input = new Input();
  const signal = catchSignals(
    () => {
      input.stop();
      producer.interrupt();
    },
    () => {
      if (!quiet) note(`put ${queue}: ${TEXTS.interrupted}${count(producer.stored)}${TEXTS.notOfTheRest}`);
    },
  );
  producer.onError = () => input.stop();
  let failure: unknown;
  try {
    if (messages.length > 0) await putAll(producer, bodies);
    else await putInput(producer, input, framing, quiet);
    await producer.finish();
  } catch (error) {
    if (!signal()) {
      if (error instanceof MqError && error.code === 'READERGONE') return 'SIGPIPE';
      throw withCount(error, producer.stored, messages.length);
    }
    failure = error;
  }
  const ended = signal();
  if (ended === undefined) return 0;
  if (!quiet) note(`put ${queue}: ${TEXTS.interrupted}${count(producer.stored)}${forCertain(failure)}`);
  return ended;
}

/** Prints ids, a line each. */
function printer(): (ids: readonly Range[]) => Promise<void> {
  const output = new Output();
  return async (ids) => {
    for (const { first, last } of ids) {
      const lines = Array.from({ length: last - first + 1 }, (_, i) => `${first + i}\n`);
      await output.write(Buffer.from(lines.join('')));
    }
  };
}

async function putAll(producer: Producer, bodies: Buffer[]): Promise<void> {
  for (const piece of pieces(pack(bodies), FRAME)) await producer.send(piece);
}

async function putInput(producer: Producer, input: Input, framing: Framing, quiet: boolean): Promise<void> {
  const splitter = new Splitter(framing, producer.maxMessage);
  let [read, sent] = [0, 0];
  const endProgress = startProgress({
    unit: 'bytes',
    // The part of the input that is stored.
    done: () => (sent === 0 ? 0 : (read * producer.stored) / sent),
    total: () => fstatSync(0).size,
    quiet,
    file: 0,
  });
  const send = (messages: Packed) => {
    sent += messages.count;
    return producer.send(messages);
  };
  try {
    const isAll = await input.read(async (chunk) => {
      read += chunk.length;
      await send(splitter.push(chunk));
    });
    // A message whose end was not read is not put.
    if (isAll) await send(splitter.finish());
    await producer.finish();
  } catch (error) {
    // Messages before one that is too long are stored all the same.
    if (error instanceof MqError && error.code === 'TOOBIG') {
      await producer.send(splitter.take());
      await producer.finish();
    }
    throw error;
  } finally {
    endProgress();
  }
}

/** @throws MqError USAGE for a key that is no UTF-8: two of them could look the same */
function keyOf({ key }: Invocation['options']): string | undefined {
  if (typeof key !== 'string') return undefined;
  if (key.includes(REPLACEMENT)) throw new MqError('USAGE', '--key takes valid UTF-8 only');
  if (key === '') throw new MqError('USAGE', 'the key is empty');
  return key;
}

/** The messages as bytes, as they were typed, be they UTF-8 or not. */
function toBytes(messages: string[]): Buffer[] {
  if (!messages.some((each) => each.includes(REPLACEMENT))) return messages.map((each) => Buffer.from(each));
  return rawArguments(messages);
}

/**
 * The last arguments of this process as bytes (proc_pid_cmdline(5)).
 * @throws MqError USAGE where they cannot be read
 */
function rawArguments(messages: string[]): Buffer[] {
  let raw: Buffer[] = [];
  try {
    const line = readFileSync('/proc/self/cmdline');
    let start = 0;
    for (let end = line.indexOf(0); end !== -1; end = line.indexOf(0, start)) {
      raw.push(line.subarray(start, end));
      start = end + 1;
    }
  } catch {
    raw = [];
  }
  // Options may stand between the messages, so each is looked for behind the one before.
  const decoded = raw.map((each) => each.toString());
  let from = 0;
  return messages.map((message) => {
    const at = decoded.indexOf(message, from);
    if (at === -1) {
      throw new MqError('USAGE', 'a message is not valid UTF-8', {
        advice: 'Put it through standard input: mq put -w',
      });
    }
    from = at + 1;
    return raw[at] as Buffer;
  });
}

/** Adds the number of messages that were stored, unless there was one only. */
function withCount(error: unknown, stored: number, messages: number): unknown {
  if (!(error instanceof MqError) || messages === 1) return error;
  return new MqError(error.code, `${error.message}; ${count(stored)}${forCertain(error)}`, {
    cause: error.cause,
    advice: error.advice,
    stored,
  });
}

/** Where it is not known of the others. */
function forCertain(error: unknown): string {
  return error instanceof MqError && error.code === 'UNKNOWN' ? TEXTS.forCertain : '';
}

function count(stored: number): string {
  if (stored === 0) return TEXTS.noneStored;
  return stored === 1 ? TEXTS.oneStored : `${stored}${TEXTS.manyStored}`;
}
