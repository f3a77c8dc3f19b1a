import type { Exit, Invocation } from '../cli/command.ts';
import { framingOf, periodOf } from '../cli/options.ts';
import { Leaser } from '../client/leaser.ts';
import { MqError } from '../errors.ts';
import { checkName } from '../names.ts';
import { isShown } from '../output/progress/show.ts';
import { parseInteger } from '../settings.ts';
import { tty } from '../tty.ts';
import { lookUp } from '../work/child.ts';
import { openPipeTo } from '../work/command-pipe.ts';
import type { Echo } from '../work/echo.ts';
import { PLACE } from '../work/execution.ts';
import { Starter } from '../work/starter.ts';
import { Worker, type WorkOptions } from '../work/worker.ts';

/** Milliseconds of a lease, unless --lease says otherwise. */
const LEASE = 60_000;

const MOST_JOBS = 10_000;

/** mq work: runs a command for each message. */
export async function run(invocation: Invocation): Promise<Exit> {
  const { operands, options, places, start, quiet } = invocation;
  const command = invocation.command as [string, ...string[]];
  const { jobs, into } = options;
  const queues = [...new Set(operands.map(checkName))];
  const starter = Starter.take();
  const work: Omit<WorkOptions, 'echo'> = {
    queues,
    command,
    jobs: typeof jobs === 'string' ? parseInteger(jobs, '--jobs', 1, MOST_JOBS) : 1,
    into: typeof into === 'string' ? checkName(into) : undefined,
    framing: framingOf(options),
    isVerbose: options['verbose'] === true,
    quiet,
    hasTerminal: options['tty'] === true,
    starter,
  };
  if (work.hasTerminal && work.jobs !== 1)
    throw new MqError('USAGE', 'with --tty commands run one at a time, not with --jobs');
  const duration = periodOf(options, 'lease', 1) ?? LEASE;
  await lookUp(starter, command, PLACE);
  const until = options['drain'] ? 'idle' : 'finished';
  const leaser = await Leaser.open({ places, start }, { queues, duration, until });
  const echo = options['drain'] && canShareTerminal(work) ? await openEcho(starter) : undefined;
  const worker = new Worker(leaser, { ...work, echo });
  const endProgress = echo === undefined ? () => {} : worker.showProgress();
  try {
    return await worker.work();
  } finally {
    echo?.end();
    endProgress();
    leaser.end();
  }
}

/** Whether a line of progress is shown. One command at a time with the terminal as its output has it for itself. */
function canShareTerminal({ jobs, into, isVerbose, quiet, hasTerminal }: Omit<WorkOptions, 'echo'>): boolean {
  return (
    !hasTerminal && !isVerbose && isShown({ quiet }) && (jobs > 1 || into !== undefined || !tty().isatty(1))
  );
}

async function openEcho(starter: Starter | undefined): Promise<Echo> {
  const { Echo } = await import('../work/echo.ts');
  return new Echo(await openPipeTo(starter, 'reader'));
}
