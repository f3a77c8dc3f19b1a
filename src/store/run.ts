import { isLarge, type Large, type Packed } from '../packed.ts';
import type { Range } from '../range.ts';

/** Messages that follow each other: their ids go up by one, in a lifo queue down by one. */
export interface Run {
  /** The id of the first; ids are positive integers, never used twice in a store. */
  id: number;
  /** 1, or -1 for a lifo queue. */
  step: 1 | -1;
  priority: number;
  /** The time of the put, in ms since 1970. */
  putAt: number;
  /** The number of failures of each. */
  failures: number;
  /** The messages; one that is too large to be in memory is the only one of its run. */
  messages: Packed | Large;
  /** Of a dead letter, which is the only one of its run: the queue that gave it up, and the id that it had there. */
  origin?: Origin | undefined;
  /** Leases of the messages: a token for each, and the milliseconds that were left of all of them at the step. */
  leases?: { tokens: string[]; left: number } | undefined;
}

export interface Origin {
  queue: string;
  id: number;
}

/** The ids of a run, from the least to the greatest. */
export function rangeOf({ id, step, messages }: Run): Range {
  const other = id + step * (messages.count - 1);
  return step === 1 ? { first: id, last: other } : { first: other, last: id };
}

/** Reads messages that are too large to be in memory. @throws MqError DAMAGED when one was altered */
export async function checkLarge(runs: readonly Run[]): Promise<void> {
  for (const { messages } of runs) if (isLarge(messages)) await messages.check();
}

/** The tokens of the leases of runs. */
export function tokensOf(runs: readonly Run[]): string[] {
  return runs.flatMap(({ leases }) => leases?.tokens ?? []);
}
