import { MqError } from './errors.ts';

export const KINDS = ['fifo', 'lifo', 'priority'] as const;
export type Kind = (typeof KINDS)[number];

/** What a user can set of a queue. */
export interface Settings {
  kind: Kind;
  /** How many messages may wait; 0: no limit. */
  maxsize: number;
}

/** A queue that nobody configured. */
export const DEFAULT_SETTINGS: Settings = { kind: 'fifo', maxsize: 0 };

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
