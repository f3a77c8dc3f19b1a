import { closeSync, readFileSync, readlinkSync } from 'node:fs';

/**
 * State that this process inherited and Node has changed by now: Node opens /dev/null in the place of closed
 * standard streams, and no longer ignores signals. bin/mq saw the state before, and passes it on in MQ_GIVEN as
 * `pid:open:ignored`: its process id (the same process becomes Node), the descriptors that are open (of 0 and 1),
 * and a number with a bit for each ignored signal (proc_pid_stat(5), field 33). The variable is for this process
 * only, and not for those that it starts.
 *
 * Where this process was the native front before (src/native/become.c), `:input:begun:starter` follow: a descriptor with
 * what that has read of standard input, or nothing, when it began, in ms since boot, and the socket of the starter of
 * commands (src/native/starter.c), or nothing.
 */
const [pid, open, ignored, input, begun, starter] = process.env['MQ_GIVEN']?.split(':') ?? [];
delete process.env['MQ_GIVEN'];

const isKnown = Number(pid) === process.pid;

/** Whether this process was the native front before. */
export const hasFront = isKnown && begun !== undefined;

/** For how long it was, in ms; it counts for what waits at most so long. */
export function spentBefore(): number {
  if (!hasFront) return 0;
  const [uptime] = readFileSync('/proc/uptime', 'latin1').split(' ');
  return Math.max(0, Number(uptime) * 1000 - Number(begun));
}

/** The socket of the starter, which has all that the user gave to commands; undefined: Node starts them itself. */
export function starterSocket(): number | undefined {
  return isKnown && starter ? Number(starter) : undefined;
}

let isInputTaken = false;

/** Bytes of standard input that were read before this process was Node: given once. */
export function takeInput(): Buffer | undefined {
  if (!hasFront || !input || isInputTaken) return undefined;
  isInputTaken = true;
  const bytes = readFileSync(Number(input));
  closeSync(Number(input));
  return bytes;
}

/**
 * Signals that end or stop a process, and that a listener which does nothing ignores. Left out are SIGTTIN and
 * SIGTTOU, because an access that the terminal refuses would be tried again for ever; SIGPIPE, which Node
 * ignores; and signals of a fault.
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

/** Whether standard input or output was open; undefined: not known. */
export function wasOpen(fd: 0 | 1): boolean | undefined {
  return isKnown ? open?.includes(String(fd)) : undefined;
}

/** Keeps signals ignored that were ignored when this process began (nohup(1), `cmd &` in a script). To be called at once. */
export function keepIgnored(): void {
  for (const signal of Object.keys(IGNORABLE) as (keyof typeof IGNORABLE)[])
    if (wasIgnored(signal)) process.on(signal, () => {});
}

/** Whether a signal was ignored when this process began, so that nobody may listen to it. */
export function wasIgnored(signal: keyof typeof IGNORABLE): boolean {
  if (!isKnown || !isIn(signal)) return false;
  return signal !== 'SIGQUIT' || isIn('SIGINT') || !ignoresQuit();
}

function isIn(signal: keyof typeof IGNORABLE): boolean {
  return (Number(ignored) & (1 << (IGNORABLE[signal] - 1))) !== 0;
}

/** Whether the shell of bin/mq ignores SIGQUIT by itself, as bash and busybox do. In a script's `cmd &` SIGINT is ignored too. */
function ignoresQuit(): boolean {
  try {
    return /(bash|busybox)$/.test(readlinkSync('/bin/sh'));
  } catch {
    return false;
  }
}
