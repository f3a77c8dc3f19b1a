import { MqError } from './errors.ts';

const UNITS: Record<string, number> = { ms: 1, s: 1e3, m: 60e3, h: 3600e3, d: 86400e3 };

/**
 * A DURATION of the command line in milliseconds: seconds (`0.5`), or a number with a unit
 * (`500ms`, `10s`, `5m`, `2h`, `1d`).
 * @throws MqError USAGE for anything else, negative numbers among it.
 */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?|\.\d+)(ms|s|m|h|d)?$/.exec(text);
  const milliseconds = match ? Number(match[1]) * (UNITS[match[2] ?? 's'] ?? 0) : Number.NaN;
  if (!Number.isFinite(milliseconds) || milliseconds > Number.MAX_SAFE_INTEGER) {
    throw new MqError('USAGE', `'${text}' is not a duration`, {
      advice: 'A duration is a number of seconds (0.5), or one with a unit: 500ms, 10s, 5m, 2h, 1d.',
    });
  }
  return Math.ceil(milliseconds);
}
