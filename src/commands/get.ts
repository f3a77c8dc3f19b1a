import type { Exit, Invocation } from '../cli/command.ts';
import { countOf, deadlineOf, framingOf, idOf, periodOf } from '../cli/options.ts';
import { catchSignals } from '../cli/signals.ts';
import { Consumer } from '../client/consumer.ts';
import type { Held } from '../client/held.ts';
import { now } from '../clock.ts';
import { MqError } from '../errors.ts';
import { separatorOf } from '../lines.ts';
import { checkName } from '../names.ts';
import { startProgress } from '../output/progress/show.ts';
import { leaseRenderer, type Render, renderer, renderJson } from '../output/render.ts';
import { note } from '../output/terminal.ts';
import { Output } from '../stdio/output.ts';
import { TEXTS } from '../texts.ts';
import { tty } from '../tty.ts';

/** Messages asked for at a time, the most and the first number; the daemon bounds their bytes. */
const LARGEST_WINDOW = 10_000;
const FIRST_WINDOW = 256;

/** Milliseconds in which the messages asked for at a time should be written. */
const MOMENT = 50;

/** mq get: messages from the first of the queues that has one, to standard output. */
export async function run({ operands, options, places, start, quiet }: Invocation): Promise<Exit> {
  const queues = [...new Set(operands.map(checkName))];
  const { all, follow } = options;
  const count = countOf(options);
  const id = idOf(options);
  if ([all, follow, count, id].filter(Boolean).length > 1) {
    throw new MqError('USAGE', '--count, --all, --follow and --id exclude each other');
  }
  if (id !== undefined && queues.length > 1) throw new MqError('USAGE', '--id goes with one queue');
  const lease = periodOf(options, 'lease', 1);
  if (lease !== undefined && queues.length > 1) throw new MqError('USAGE', '--lease goes with one queue');
  const render = options['json']
    ? renderJson
    : (lease === undefined ? renderer : leaseRenderer)(separatorOf(framingOf(options)));
  let deadline = deadlineOf(options);
  if (all && deadline !== Infinity && deadline !== 0)
    throw new MqError('USAGE', '--all does not wait: it takes no --timeout');

  const output = new Output();
  const wants = { queues, lease, id, ...(options['json'] && { origin: true }) };
  const consumer = await Consumer.open({ places, start, deadline }, wants);
  let stopped = false;
  const signal = catchSignals(() => {
    output.stop();
    consumer.interrupt();
  });
  consumer.onStopped = () => {
    stopped = true;
    output.stop();
  };
  let wanted = follow ? Infinity : (count ?? 1);
  let got = 0;
  let window = FIRST_WINDOW;
  let endProgress = () => {};
  try {
    if (all) {
      deadline = 0;
      wanted = (await consumer.sizes()).reduce((sum, size) => sum + size, 0) || 1;
      endProgress = startProgress({ unit: 'messages', done: () => got, total: () => wanted, quiet, file: 1 });
    }
    while (got < wanted) {
      const taken = await consumer.take(deadline, window, wanted - got);
      if (taken === undefined) break;
      const begun = now();
      const written = await write(taken, render, output, consumer);
      got += written;
      window = nextWindow(window, written, now() - begun);
    }
    await consumer.finish();
  } catch (error) {
    const unknown = await lastWord(consumer);
    const ended = signal();
    // Where nothing else is told, it is the error that is.
    const isAside = unknown !== error || ended !== undefined || stopped;
    if (unknown && isAside && !quiet) note(`get ${queues.join(' ')}: ${unknown.message}`);
    if (ended !== undefined) return ended;
    if (stopped) throw new MqError('STOPPED', TEXTS.stopped, { cause: error });
    if (!(error instanceof MqError)) throw error;
    if (error.code === 'READERGONE') return 'SIGPIPE';
    if (error.code === 'CLOSED' && (follow || (all && got > 0))) return 0;
    throw error;
  } finally {
    endProgress();
  }
  // The wait may have ended as if its time were up.
  const ended = signal();
  if (ended !== undefined && got < wanted) return ended;
  if (got < wanted && !(all && got > 0)) {
    // Somebody at a terminal may have mistyped a name; scripts are spared the question.
    const counts =
      quiet || !tty().isatty(2) ? '' : await (await import('../output/counts.ts')).countsOf(places, queues);
    const time = deadline === 0 ? '' : TEXTS.inTime;
    throw new MqError('EMPTY', `${got > 0 ? 'no further message' : TEXTS.noMessage}${time}${counts}`);
  }
  return 0;
}

/**
 * The number of messages to ask for next, when `written` took `time` ms. Behind a slow reader it is small: others
 * can have the rest, and few come again if this process is killed.
 */
function nextWindow(window: number, written: number, time: number): number {
  const most = time > MOMENT ? Math.ceil((written * MOMENT) / time) : window * 4;
  return Math.min(most, LARGEST_WINDOW);
}

/** Writes messages, and acknowledges those that were written. @returns their number */
async function write(taken: Held[], render: Render, output: Output, consumer: Consumer): Promise<number> {
  const { bytes, ends } = render(taken);
  const before = output.taken;
  try {
    await output.write(bytes, ends);
    return ends.length;
  } finally {
    const written = output.taken - before;
    let count = ends.length;
    while (count > 0 && (ends[count - 1] as number) > written) count--;
    consumer.done(taken, count);
  }
}

/**
 * Sends the last acknowledgements after an error, which is the one to report.
 * @returns a further error, when it is not known whether the daemon received them
 */
async function lastWord(consumer: Consumer): Promise<MqError | undefined> {
  try {
    await consumer.finish();
    return undefined;
  } catch (error) {
    if (!(error instanceof MqError)) throw error;
    return error.code === 'UNKNOWN' ? error : undefined;
  }
}
