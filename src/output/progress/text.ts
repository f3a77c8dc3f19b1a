import type { Progress } from './progress.ts';

/** Columns of the bar, the most and the least. */
const LONGEST_BAR = 20;
const SHORTEST_BAR = 5;

/** Seconds. A longer time that is left says nothing. */
const LONGEST = 100 * 3600;

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

const GAP = '  ';

const numbers = new Intl.NumberFormat('en', { maximumSignificantDigits: 3, useGrouping: false });

/**
 * The progress as one line: a bar, the percentage, how much, how fast, how long still. Where that does not fit,
 * the bar gets shorter; then it is left out; then the last words are.
 */
export function progressText(columns: number, progress: Progress, rate: number): string {
  const fraction = fractionOf(progress);
  const words = wordsOf(progress, rate);
  words.unshift(`${Math.floor(fraction * 100)}%`.padStart(4));
  while (words.length > 1 && words.join(GAP).length > columns) words.pop();
  const text = words.join(GAP);
  const room = Math.min(LONGEST_BAR, columns - text.length - 1);
  return room < SHORTEST_BAR ? text.slice(0, Math.max(0, columns)) : `${barOf(fraction, room)} ${text}`;
}

function fractionOf({ done, total }: Progress): number {
  return total() === 0 ? 0 : Math.min(1, done() / total());
}

function wordsOf({ unit, done, total }: Progress, rate: number): string[] {
  const left = Math.max(0, total() - done()) / rate;
  return [
    unit === 'bytes' ? `${bytes(done())} of ${bytes(total())}` : `${done()} of ${total()} ${unit}`,
    `${unit === 'bytes' ? bytes(rate) : numbers.format(rate)}/s`,
    ...(left < LONGEST ? [`${time(left)} left`] : []),
  ];
}

function barOf(fraction: number, size: number): string {
  const full = Math.round(fraction * size);
  return '='.repeat(full) + '-'.repeat(size - full);
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
