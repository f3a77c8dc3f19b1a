import { readlinkSync } from 'node:fs';

/**
 * What this process was given by its starter and Node has changed by now: it opens /dev/null in the place of
 * standard streams that are closed, and takes back that signals are ignored. bin/mq has seen it, and says so
 * in MQ_GIVEN: `pid:open:ignored`, its process (which is this one), the descriptors that are open (of 0 and 1),
 * and a number with a bit for each signal that is ignored (proc_pid_stat(5), field 33). It is for this process only,
 * and not for those that it starts.
 */
const [pid, open, ignored] = process.env['MQ_GIVEN']?.split(':') ?? [];
delete process.env['MQ_GIVEN'];

const isKnown = Number(pid) === process.pid;

/**
 * Signals that end or stop a process, as far as a listener that does nothing is as good as to ignore them.
 * SIGTTIN and SIGTTOU are not among them: what the terminal refuses would be tried again for ever. Nor is
 * SIGPIPE, which Node ignores; nor what tells of a fault.
 */
const IGNORABLE = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGUSR1: 10,
  SIGUSR2: 12,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGTSTP: 20,
  SIGXCPU: 24,
  SIGVTALRM: 26,
  SIGIO: 29,
  SIGPWR: 30,
} as const;

/** Whether standard input or output was open; undefined where that is not known. */
export function wasOpen(fd: 0 | 1): boolean | undefined {
  return isKnown ? open?.includes(String(fd)) : undefined;
}

/** What was ignored when this process began stays ignored (nohup(1), `cmd &` in a script). To be called at once. */
export function keepIgnored(): void {
  for (const signal of Object.keys(IGNORABLE) as (keyof typeof IGNORABLE)[])
    if (wasIgnored(signal)) process.on(signal, () => {});
}

/** Whether a signal was ignored when this process began: it is not to be listened to. */
export function wasIgnored(signal: keyof typeof IGNORABLE): boolean {
  if (!isKnown || !isIn(signal)) return false;
  return signal !== 'SIGQUIT' || isIn('SIGINT') || !ignoresQuit();
}

function isIn(signal: keyof typeof IGNORABLE): boolean {
  return (Number(ignored) & (1 << (IGNORABLE[signal] - 1))) !== 0;
}

/** Whether the shell of bin/mq ignores SIGQUIT by itself: bash and busybox do. A script's `cmd &` has SIGINT ignored too. */
function ignoresQuit(): boolean {
  try {
    return /(bash|busybox)$/.test(readlinkSync('/bin/sh'));
  } catch {
    return false;
  }
}
