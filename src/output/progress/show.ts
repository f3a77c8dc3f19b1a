import { fstatSync } from 'node:fs';
import { now } from '../../clock.ts';
import { tty } from '../../tty.ts';
import type { Progress } from './progress.ts';

/** Milliseconds. Shorter runs show nothing. */
const DELAY = 1000;

/**
 * Shows on standard error how far a command has come, if that is a terminal. To be called after `catchSignals`,
 * and taken away before the command says its last word.
 * @returns a function that takes it away
 */
export function startProgress(progress: Progress): () => void {
  if (!isShown(progress)) return () => {};
  const begun = now();
  let hide = () => {};
  let hasEnded = false;
  const timer = setTimeout(async () => {
    const { show } = await import('./draw.ts');
    if (!hasEnded) hide = show(progress, begun);
  }, DELAY);
  return () => {
    hasEnded = true;
    clearTimeout(timer);
    hide();
  };
}

/** Whether such a line is shown at all. */
export function isShown({ quiet, file }: Pick<Progress, 'quiet' | 'file'>): boolean {
  if (quiet || process.env['TERM'] === 'dumb' || !tty().isatty(2)) return false;
  return file === undefined || fstatSync(file).isFile();
}
