import { MqError } from './errors.ts';

/** Units in ms, in the order in which they stand in a duration. */
export const UNITS = { w: 7 * 86400e3, d: 86400e3, h: 3600e3, m: 60e3, s: 1e3, ms: 1 };

const NUMBER = '(\\d+(?:\\.\\d+)?|\\.\\d+)';

/** Numbers with units, each unit once, or one number: seconds. */
const DURATION = new RegExp(
  `^(?=.)${Object.keys(UNITS)
    .map((unit) => `(?:${NUMBER}${unit})?`)
    .join('')}$|^${NUMBER}$`,
);

/**
 * A DURATION of the command line in milliseconds: seconds (`0.5`), or numbers with units, the largest
 * first (`500ms`, `10s`, `5m`, `2h`, `1d`, `1w`, `1h30m`). Infinity where it is beyond all numbers.
 * @throws MqError USAGE for anything else, such as negative numbers.
 */
export function parseDuration(text: string): number {
  const match = DURATION.exec(text);
  if (match === null) {
    throw new MqError('USAGE', `'${text}' is not a duration`, {
      advice: 'A duration is a number of seconds (0.5), or has units: 500ms, 10s, 5m, 2h, 1d, 1w, 1h30m.',
    });
  }
  const [, ...numbers] = match;
  const milliseconds = [...Object.values(UNITS), UNITS.s]
    .map((unit, i) => Number(numbers[i] ?? 0) * unit)
    .reduce((sum, part) => sum + part);
  // Fractions are rounded up, except those that binary numbers bring: 1.1h.
  return Math.ceil(Number(milliseconds.toFixed(3)));
}
