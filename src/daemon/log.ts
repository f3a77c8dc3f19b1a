import { writeSync } from 'node:fs';

/** One line on standard error, which is the log of a daemon that a command started. */
export function log(text: string): void {
  try {
    // Not process.stderr: there a full disk is an error that nobody can catch here.
    writeSync(2, `${new Date().toISOString()} [${process.pid}] ${text}\n`);
  } catch {
    // Nobody is left to tell.
  }
}
