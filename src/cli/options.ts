import { now } from '../clock.ts';
import { parseDuration } from '../duration.ts';
import { MqError } from '../errors.ts';
import { spentBefore } from '../inherited.ts';
import type { Framing } from '../lines.ts';
import { type MessageState, parseState } from '../message-state.ts';
import { checkName } from '../names.ts';
import { LONGEST_DELAY, parseInteger, parseKind, type Settings } from '../settings.ts';
import type { Invocation } from './command.ts';

type Options = Invocation['options'];

/** Milliseconds that a timer of Node's can wait. */
export const LONGEST_WAIT = 2 ** 31 - 1;

/**
 * The end of the wait, on the clock of now(); Infinity: none.
 * @throws MqError USAGE
 */
export function deadlineOf(options: Options): number {
  const text = options['timeout'];
  if (options['nowait']) {
    if (text !== undefined) throw new MqError('USAGE', '--nowait and --timeout exclude each other');
    return 0;
  }
  const timeout = waitOf(options, 'timeout');
  if (timeout === undefined) return Infinity;
  return timeout === 0 ? 0 : now() + timeout - spentBefore();
}

/** A duration of waiting, in ms. @throws MqError USAGE */
export function waitOf(options: Options, name: string): number | undefined {
  const text = options[name];
  if (typeof text !== 'string') return undefined;
  const wait = parseDuration(text);
  if (wait > LONGEST_WAIT) throw new MqError('USAGE', `--${name} takes at most 24d, not '${text}'`);
  return wait;
}

/**
 * A duration of something stored, such as a lease or a delay, in ms: it may be longer than a timer can wait.
 * @throws MqError USAGE
 */
export function periodOf(options: Options, name: string, least = 0): number | undefined {
  const text = options[name];
  return typeof text === 'string' ? parsePeriod(text, `--${name}`, least) : undefined;
}

/** @throws MqError USAGE */
export function parsePeriod(text: string, what: string, least = 0): number {
  const period = parseDuration(text);
  if (period < least) throw new MqError('USAGE', `${what} takes more than 0, not '${text}'`);
  if (period > LONGEST_DELAY) throw new MqError('USAGE', `${what} takes at most 36525d, not '${text}'`);
  return period;
}

/** @throws MqError USAGE */
export function framingOf(options: Options): Framing {
  if (options['whole'] && options['null'])
    throw new MqError('USAGE', '--whole and --null exclude each other');
  if (options['whole']) return 'whole';
  return options['null'] ? 'null' : 'lines';
}

/** @throws MqError USAGE */
export function countOf(options: Options): number | undefined {
  const text = options['count'];
  return typeof text === 'string' ? parseInteger(text, '--count', 1) : undefined;
}

/** @throws MqError USAGE */
export function idOf(options: Options): number | undefined {
  const text = options['id'];
  return typeof text === 'string' ? parseInteger(text, '--id', 1) : undefined;
}

/** @throws MqError USAGE */
export function stateOf({ state }: Options): MessageState | undefined {
  return typeof state === 'string' ? parseState(state, '--state') : undefined;
}

/** The settings that were given. @throws MqError USAGE */
export function settingsOf(options: Options): Partial<Settings> {
  const {
    kind,
    maxsize,
    'max-attempts': attempts,
    'dead-letter': deadLetter,
    'max-leased': maxLeased,
  } = options;
  const retryDelay = periodOf(options, 'retry-delay');
  return {
    ...(typeof kind === 'string' && { kind: parseKind(kind) }),
    ...(typeof maxsize === 'string' && { maxsize: parseInteger(maxsize, '--maxsize', 0) }),
    ...(typeof attempts === 'string' && { max_attempts: parseInteger(attempts, '--max-attempts', 0) }),
    ...(retryDelay !== undefined && { retry_delay: retryDelay }),
    ...(typeof deadLetter === 'string' && { dead_letter: checkName(deadLetter) }),
    ...(typeof maxLeased === 'string' && { max_leased: parseInteger(maxLeased, '--max-leased', 0) }),
  };
}
