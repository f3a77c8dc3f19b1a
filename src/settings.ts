import { MqError } from './errors.ts';

export const KINDS = ['fifo', 'lifo', 'priority'] as const;
export type Kind = (typeof KINDS)[number];

/** The settings of a queue, by the names that they have everywhere. */
export interface Settings {
  kind: Kind;
  /** The number of messages that may be waiting or delayed; 0: no limit. */
  maxsize: number;
  /** The number of failures after which a message is given up on; 0: no limit. */
  max_attempts: number;
  /** Milliseconds of delay after a message's first failure; each further failure doubles them. */
  retry_delay: number;
  /** The queue for messages that are given up on; '': the queue's own name with `.dead` behind it. */
  dead_letter: string;
  /** The number of messages that may be on lease at a time; 0: no limit. */
  max_leased: number;
}

/** The settings of a queue that nobody configured. */
export const DEFAULT_SETTINGS: Settings = {
  kind: 'fifo',
  maxsize: 0,
  max_attempts: 5,
  retry_delay: 1000,
  dead_letter: '',
  max_leased: 0,
};

/** @throws MqError USAGE unless `text` names a kind of queue. */
export function parseKind(text: string): Kind {
  const kind = KINDS.find((each) => each === text);
  if (kind === undefined) {
    throw new MqError('USAGE', `'${text}' is no kind of queue: ${KINDS.join(', ')}`);
  }
  return kind;
}

/**
 * A decimal integer within bounds.
 * @throws MqError USAGE for anything else.
 */
export function parseInteger(
  text: string,
  what: string,
  least: number,
  most = Number.MAX_SAFE_INTEGER,
): number {
  const number = /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= least && number <= most)) {
    const bounds = most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `from ${least} to ${most}`;
    throw new MqError('USAGE', `${what} takes an integer ${bounds}, not '${text}'`);
  }
  return number;
}

/** Priorities are signed 32-bit integers. */
export const LEAST_PRIORITY = -(2 ** 31);
export const MOST_PRIORITY = 2 ** 31 - 1;

/** Milliseconds of the longest delay, lease or time to live: a hundred years. */
export const LONGEST_DELAY = 36525 * 86400e3;

/** Bytes that V8 and SQLite still take as a whole, with room to spare. */
export const MOST_MAX_MESSAGE = 256 * 1024 * 1024;
