import { fstatSync } from 'node:fs';
import { now } from '../../clock.ts';
import { tty } from '../../tty.ts';
import type { Progress } from './progress.ts';

/** Shorter runs show nothing, in ms. */
const DELAY = 1000;

/**
 * Shows on standard error how far a command has come, where that is a terminal. For use between
 * `catchSignals` and what the command says in the end.
 * @returns what takes it away
 */
export function startProgress(progress: Progress): () => void {
  if (!isShown(progress)) return () => {};
  const begun = now();
  let hide = () => {};
  let hasEnded = false;
  const timer = setTimeout(async () => {
    const { show } = await import('./line.ts');
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
