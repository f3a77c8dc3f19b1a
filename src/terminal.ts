import { writeSync } from 'node:fs';
import { type ErrorOptions, MqError } from './errors.ts';

/** Loaded by those who need it only: it costs each command half a millisecond. */
export function tty(): typeof import('node:tty') {
  return process.getBuiltinModule('node:tty');
}

/** Whether colour may be used on a descriptor: on a terminal, unless NO_COLOR is set (https://no-color.org). */
export function hasColour(fd: 1 | 2): boolean {
  return tty().isatty(fd) && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';
}

let prepare = () => {};

/** Has this called before each line on standard error: a display of progress takes its own away. */
export function beforeLines(call: () => void): void {
  prepare = call;
}

/** A line for people, on standard error. */
export function note(text: string): void {
  write(`mq: ${text}\n`);
}

/**
 * Says what failed and why, and on a second line what can be done about it.
 * @param what the command and what it was about
 */
export async function complain(what: string, why: string, advice: ErrorOptions['advice']): Promise<void> {
  const text = visible(`${what}${why}`);
  if (!hasColour(2)) {
    write(`mq: ${text}\n${advice ? `${visible(advice)}\n` : ''}`);
    return;
  }
  const { chalkStderr } = await import('chalk');
  write(`${chalkStderr.red('mq:')} ${text}\n${advice ? `${chalkStderr.dim(visible(advice))}\n` : ''}`);
}

/** What a terminal would obey, written as JSON writes it: what was typed may be quoted, and stays on one line. */
function visible(text: string): string {
  return text.replace(/\p{Cc}/gu, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function write(text: string): void {
  prepare();
  try {
    writeSync(2, text);
  } catch (cause) {
    // There is nowhere left to say it; the exit status still tells.
    if (!(cause instanceof Error)) throw new MqError('INTERNAL', String(cause));
  }
}
