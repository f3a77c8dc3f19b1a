import { now } from '../clock.ts';
import { parseDuration } from '../duration.ts';
import { MqError } from '../errors.ts';
import type { Framing } from '../lines.ts';
import { parseInteger, parseKind, type Settings } from '../settings.ts';
import type { Invocation } from './command.ts';

/** What the options mean that several commands have. */
type Options = Invocation['options'];

/** A timer waits 2^31-1 ms at most. */
const LONGEST_WAIT = 2 ** 31 - 1;

/**
 * Until when to wait, on the clock of now(); Infinity: for as long as it takes.
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
  return timeout === 0 ? 0 : now() + timeout;
}

/** A duration that somebody waits, in ms. @throws MqError USAGE */
export function waitOf(options: Options, name: string): number | undefined {
  const text = options[name];
  if (typeof text !== 'string') return undefined;
  const wait = parseDuration(text);
  if (wait > LONGEST_WAIT) throw new MqError('USAGE', `--${name} takes at most 24d, not '${text}'`);
  return wait;
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

/** The settings that are named. @throws MqError USAGE */
export function settingsOf({ kind, maxsize }: Options): Partial<Settings> {
  return {
    ...(typeof kind === 'string' && { kind: parseKind(kind) }),
    ...(typeof maxsize === 'string' && { maxsize: parseInteger(maxsize, '--maxsize', 0) }),
  };
}
