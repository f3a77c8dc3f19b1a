import type { Settings } from '../settings.ts';

/** A queue: its settings, and the numbers of its messages. */
export interface QueueState extends Settings {
  name: string;
  /** 'now': messages that come back are dropped. */
  closed: false | true | 'now';
  /** Whether nothing can be taken. */
  paused: boolean;
  /** Messages that can be taken now. */
  waiting: number;
  /** Messages that will be waiting later. */
  delayed: number;
  /** Messages that were taken and are not settled. */
  held: number;
  /** Messages on lease. */
  leased: number;
  /** Messages that were put, as all of the following since the queue was made. */
  put: number;
  /** Messages that were taken for good, or on lease (each time). */
  got: number;
  /** Messages that were taken for good, or done. */
  done: number;
  /** Failures, messages that were given up on, and messages that were dropped by their ttl. */
  failed: number;
  dead: number;
  expired: number;
  /** The time of the put of the oldest message that is waiting, in ms since 1970; undefined: none waits. */
  oldestAt: number | undefined;
}

/** The number of a queue's messages that are unfinished. */
export function unfinished({ waiting, delayed, held, leased }: QueueState): number {
  return waiting + delayed + held + leased;
}
