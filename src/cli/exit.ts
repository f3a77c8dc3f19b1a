import { existsSync } from 'node:fs';
import type { Exit } from './command.ts';

/** Ends the process. A signal ends it by itself, so that a shell's loop ends too. */
export function end(how: Exit): void {
  if (typeof how === 'number') exit(how);
  // Node ignores SIGPIPE; without listeners a signal has its default effect again.
  if (how === 'SIGPIPE') process.on(how, () => {});
  process.removeAllListeners(how);
  process.kill(process.pid, how);
}

/** Microseconds of CPU. Shorter runs have compiled next to nothing. */
const LITTLE_WORK = 200_000;

const SHELL = '/bin/sh';

/**
 * V8 compiles hot functions on other threads. Such a thread may wait for the main thread, which ends the
 * process and waits for that thread: for ever (https://github.com/nodejs/node/issues/54918; seen once in some
 * thousand runs). So a process that has done much becomes another one, which ends at once: the kernel
 * waits for no thread then. A process that has done little ends by itself: a signal that comes now would
 * end the other one with another status.
 */
function exit(status: number): never {
  const { user, system } = process.cpuUsage();
  if (user + system > LITTLE_WORK && process.execve && existsSync(SHELL)) {
    // A shell complains of a working folder that was removed.
    process.chdir('/');
    process.execve(SHELL, ['sh', '-c', `trap '' HUP INT TERM; exit ${status}`], {});
  }
  process.exit(status);
}
