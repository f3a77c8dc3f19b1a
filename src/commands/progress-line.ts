import cliProgress from 'cli-progress';
import { now } from '../clock.ts';
import { beforeLines } from '../terminal.ts';
import type { Progress } from './progress.ts';
import { Rate } from './rate.ts';
import { Screen } from './screen.ts';
import { CAUGHT } from './signals.ts';

/** In ms: the library draws as often. */
const INTERVAL = 100;

/** In seconds: beyond it the time that is left says nothing. */
const LONGEST = 100 * 3600;

/** What is said besides the bar takes so many columns, about. */
const WORDS = 57;

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

const numbers = new Intl.NumberFormat('en', { maximumSignificantDigits: 3, useGrouping: false });

/**
 * Shows how far a command has come, in one line that is drawn again and again. It has no colour, and
 * the cursor is not hidden: after a SIGKILL there is nothing to set right.
 * @param begun when the command was at 0, on the clock of now()
 * @returns what takes the line away
 */
export function show(progress: Progress, begun: number): () => void {
  // No signal is caught any more: the command is ending, and the next one would leave the line there.
  if (process.listenerCount('SIGINT') === 0) return () => {};
  const screen = new Screen();
  const bar = new cliProgress.SingleBar({
    stream: screen,
    format: '{bar} {percentage}%  {amount}  {rate}/s{left}',
    barsize: Math.max(0, Math.min(20, screen.columns - WORDS)),
    autopadding: true,
    clearOnComplete: true,
    // The line is cut then, and the terminal's own wrapping stays as it is.
    linewrap: true,
    // Others may have written to the terminal.
    forceRedraw: true,
  });
  const rate = new Rate(begun);
  const words = () => wordsOf(progress, rate.perSecond(progress.done(), now()));
  bar.start(progress.total(), progress.done(), words());
  const timer = setInterval(() => {
    bar.setTotal(progress.total());
    bar.update(progress.done(), words());
  }, INTERVAL);
  beforeLines(() => screen.clear());

  const hide = () => {
    if (!bar.isActive) return;
    for (const signal of CAUGHT) process.removeListener(signal, hide);
    beforeLines(() => {});
    clearInterval(timer);
    screen.keepPlace();
    bar.stop();
  };
  // The command may take some time to end, or be ended by a second signal.
  for (const signal of CAUGHT) process.once(signal, hide);
  return hide;
}

function wordsOf({ unit, done, total }: Progress, rate: number): Record<string, string> {
  const left = Math.max(0, total() - done()) / rate;
  return {
    amount: unit === 'bytes' ? `${bytes(done())} of ${bytes(total())}` : `${done()} of ${total()} ${unit}`,
    rate: unit === 'bytes' ? bytes(rate) : numbers.format(rate),
    left: left < LONGEST ? `  ${time(left)} left` : '',
  };
}

function bytes(count: number): string {
  const power = Math.floor(Math.log10(Math.max(1, count)) / 3);
  return `${numbers.format(count / 1000 ** power)} ${UNITS[power]}`;
}

/** As 1:02:03. */
function time(seconds: number): string {
  const whole = Math.ceil(seconds);
  const parts = [whole / 3600, (whole / 60) % 60, whole % 60].map(Math.floor);
  return parts.map((part, i) => String(part).padStart(i === 0 ? 1 : 2, '0')).join(':');
}
