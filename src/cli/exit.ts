import { existsSync } from 'node:fs';
import type { Exit } from './command.ts';

/** Ends the process: by the signal itself, where that is how, so that a shell's loop ends too. */
export function end(how: Exit): void {
  if (typeof how === 'number') exit(how);
  // Node ignores SIGPIPE; without listeners a signal has its default effect again.
  if (how === 'SIGPIPE') process.on(how, () => {});
  process.removeAllListeners(how);
  process.kill(process.pid, how);
}

/** Microseconds of CPU. A process that took less, its start included, has had hardly anything compiled. */
const LITTLE_WORK = 200_000;

const SHELL = '/bin/sh';

/**
 * V8 compiles what is hot on other threads. Such a thread may wait for the main thread while that ends
 * the process and waits for it, for ever (https://github.com/nodejs/node/issues/54918; seen in one of
 * some thousand runs). So a process that has done much becomes another that ends at once: the kernel
 * waits for no thread then. One that has done little ends by itself: a signal that comes now is held here
 * until the end, and would end the other one, with another status.
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
