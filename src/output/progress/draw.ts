import { CAUGHT } from '../../cli/signals.ts';
import { now } from '../../clock.ts';
import { beforeOutput } from '../terminal.ts';
import type { Progress } from './progress.ts';
import { Rate } from './rate.ts';
import { Screen } from './screen.ts';
import { progressText } from './text.ts';

/** Milliseconds between two drawings. */
const INTERVAL = 100;

/**
 * Shows how far a command has come, in one line that is drawn again and again. It has no colour, and the cursor
 * is not hidden: after a SIGKILL there is nothing to set right.
 * @param begun the time when the command was at 0, on the clock of now()
 * @returns a function that takes the line away
 */
export function show(progress: Progress, begun: number): () => void {
  // No signal is caught any more: the command is ending, and the next one would leave the line there.
  if (process.listenerCount('SIGINT') === 0) return () => {};
  const screen = new Screen();
  const rate = new Rate(begun);
  const draw = () =>
    screen.draw(progressText(screen.columns, progress, rate.perSecond(progress.done(), now())));
  draw();
  const timer = setInterval(draw, INTERVAL);
  beforeOutput(() => screen.clear());

  const hide = () => {
    for (const signal of CAUGHT) process.removeListener(signal, hide);
    beforeOutput(() => {});
    clearInterval(timer);
    screen.clear();
  };
  // The command may take some time to end, or be ended by a second signal.
  for (const signal of CAUGHT) process.once(signal, hide);
  return hide;
}
