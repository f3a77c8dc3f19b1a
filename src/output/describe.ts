import { notUnderstood, type Value } from '../protocol/values.ts';

/** A map of the daemon's as a plain object. */
export interface Described {
  [name: string]: string | number | null | Described[];
}

/** Those of the daemon's numbers that are points in time: milliseconds since 1970. */
const TIMES = new Set(['oldest_at', 'started_at', 'opened_at']);

/** Those that are durations: milliseconds. */
const DURATIONS = new Set(['retry_delay']);

/** Those that are not integers. */
const RATES = new Set(['put_rate', 'done_rate']);

/** Times in ISO 8601, durations in seconds. */
export function toObject(value: Value): Described {
  if (!(value instanceof Map)) throw notUnderstood();
  const entries = [...value].map(([key, each]) => {
    if (each === null) return [key, null] as const;
    if (Array.isArray(each)) return [key, each.map(toObject)] as const;
    if (TIMES.has(key)) return [key, new Date(Number(each)).toISOString()] as const;
    if (DURATIONS.has(key)) return [key, Number(each) / 1000] as const;
    if (RATES.has(key)) return [key, Number(each)] as const;
    return [key, typeof each === 'number' ? each : String(each)] as const;
  });
  return Object.fromEntries(entries);
}

/** Whether this is a pipe, among what `mq ls` lists. */
export function isPipe({ kind }: Described): boolean {
  return kind === 'pipe';
}
