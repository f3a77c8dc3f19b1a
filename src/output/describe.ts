import { notUnderstood } from '../protocol/reader.ts';
import type { Value } from '../protocol/values.ts';

/** A map from the daemon, as a plain object. */
export interface Described {
  [name: string]: string | number | boolean | null | Described[];
}

/** Numbers of the daemon that are points in time: milliseconds since 1970. */
const TIMES = new Set(['oldest_at', 'started_at', 'opened_at']);

/** Numbers that are durations: milliseconds. */
const DURATIONS = new Set(['retry_delay']);

/** Numbers that say yes or no. */
const FLAGS = new Set(['paused']);

/** Numbers that are not integers. */
const RATES = new Set(['put_rate', 'done_rate']);

/** The map as an object, with times in ISO 8601 and durations in seconds. */
export function toObject(value: Value): Described {
  if (!(value instanceof Map)) throw notUnderstood();
  const entries = [...value].map(([key, each]) => {
    if (each === null) return [key, null] as const;
    if (Array.isArray(each)) return [key, each.map(toObject)] as const;
    if (TIMES.has(key)) return [key, new Date(Number(each)).toISOString()] as const;
    if (DURATIONS.has(key)) return [key, Number(each) / 1000] as const;
    if (FLAGS.has(key)) return [key, each === 1] as const;
    if (RATES.has(key)) return [key, Number(each)] as const;
    return [key, typeof each === 'number' ? each : String(each)] as const;
  });
  return Object.fromEntries(entries);
}

/** The state of a queue, for people: one word. */
export function shownState(state: unknown, isPaused: unknown): string {
  if (!isPaused) return String(state);
  return String(state) === 'closed' ? 'closed,paused' : 'paused';
}

/** Whether an item of `mq ls` of this kind is a pipe. */
export function isPipe(kind: unknown): boolean {
  return kind === 'pipe';
}
