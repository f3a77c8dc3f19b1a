import type { Run } from './run.ts';
import type { World } from './world.ts';

/** In ms. An interrupted command that gets no answer ends by itself after 3 s. */
const PATIENCE = 2900;

/** In ms. A command waits 15 s for a daemon that does not answer. */
const ANSWER = 14_900;

/** Enters a violation unless a run ended with one of these statuses, or with one that a blow to it or the daemon allows. */
export function checkStatus(world: World, run: Run, natural: readonly number[]): void {
  const { signal, status, errors } = run;
  const refuse = (why: string) =>
    world.accounts.violate(`status ${run.end}`, `it ended with ${run.end}${why}`, [], [run]);
  if (signal !== undefined) {
    if (run.signals.some((sent) => sent.signal === signal)) return;
    refuse(', which nobody sent');
  } else if (status === undefined || natural.includes(status)) return;
  else if (status === 69) {
    if (world.befell(run, 'stop')) world.accounts.allow('69 after mq stop');
    else if (isLimited(run) && /answer/.test(errors)) world.accounts.allow('69 in time, without an answer');
    else if (wasUnanswered(run)) world.accounts.allow('69 after 15 s without an answer');
    else if (/keeps dying/.test(errors)) world.accounts.allow('69: the daemon keeps dying');
    else refuse(whatBefell(world, run));
  } else if (status === 79) {
    if (world.befell(run, 'stop', 'SIGKILL', 'SIGSTOP', 'SIGTERM', 'replaced')) world.accounts.allow('79');
    else refuse(', and nothing befell the daemon');
  } else refuse(whatBefell(world, run));
}

/** Whether a command has a time limit; it ends by it, whether the daemon answers or not. */
function isLimited({ args }: Run): boolean {
  return args.includes('-n') || args.includes('-t') || args.includes('-a');
}

function whatBefell(world: World, run: Run): string {
  const events = world.daemonEvents.filter(({ at, until }) => at <= (run.ended ?? at) && until >= run.began);
  return `; to the daemon meanwhile: ${[...new Set(events.map(({ what }) => what))].join(', ') || 'nothing'}`;
}

/** Whether the time was up in which an interrupted run could still tell or ask the daemon something. */
export function ranOutOfPatience(run: Run): boolean {
  const [first] = run.interrupts;
  return first !== undefined && (run.ended as number) - first.at >= PATIENCE;
}

function wasUnanswered(run: Run): boolean {
  return (run.ended as number) - run.began >= ANSWER && /answer/.test(run.errors);
}

/** Waits for a command; once the round ends it is interrupted, if it does not end soon. */
export async function finish(world: World, run: Run, patience: number): Promise<void> {
  while (run.isLive && !world.isEnding) await Promise.race([pause(50), run.exited]);
  if (run.isLive) await Promise.race([pause(patience), run.exited]);
  if (run.isLive && run.interrupts.length === 0) run.send('SIGTERM');
  await world.end(run);
}

export function pause(time: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, time));
}
