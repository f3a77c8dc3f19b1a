import { writeSync } from 'node:fs';
import { type ErrorOptions, errnoOf } from '../errors.ts';
import { tty } from '../tty.ts';

const NEWLINE = 0x0a;

/** Waits for a terminal that another program has left non-blocking: how many, and the milliseconds of each. */
const MOST_WAITS = 100;
const WAIT = 10;
const STILL = new Int32Array(new SharedArrayBuffer(4));

/** Whether colour may be used on a descriptor: on a terminal, unless NO_COLOR is set (https://no-color.org). */
export function hasColour(fd: 1 | 2): boolean {
  return tty().isatty(fd) && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';
}

let prepare = () => {};
let hasOpenLine = false;

/** Registers the call before each output to standard error, with which a display of progress takes its line away. */
export function beforeOutput(call: () => void): void {
  prepare = call;
}

/** Whether the last output has not ended its line. */
export function isLineOpen(): boolean {
  return hasOpenLine;
}

/** Writes a line for people on standard error. */
export function note(text: string): void {
  write(`mq: ${text}\n`);
}

/**
 * Writes what failed and why, and on a second line what can be done about it.
 * @param what the command and its subject
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

/** The text with control characters written as in JSON: quoted input cannot command the terminal, and stays on one line. */
export function visible(text: string): string {
  return text.replace(/\p{Cc}/gu, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Writes the output of others to standard error, unchanged. */
export function passOn(bytes: Buffer): void {
  if (bytes.length === 0) return;
  prepare();
  hasOpenLine = bytes.at(-1) !== NEWLINE;
  let waits = 0;
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(2, bytes, at);
    } catch (cause) {
      // Nowhere is left to say it; the exit status still tells.
      if (errnoOf(cause) !== 'EAGAIN' || waits++ === MOST_WAITS) return;
      Atomics.wait(STILL, 0, 0, WAIT);
    }
  }
}

function write(text: string): void {
  passOn(Buffer.from(hasOpenLine ? `\n${text}` : text));
}
