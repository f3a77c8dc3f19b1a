import { MqError } from '../errors.ts';
import type { Request } from './requests.ts';
import type { Clause, Row } from './verbs/row.ts';
import { ROWS } from './verbs/rows.ts';
import { WordReader } from './word-reader.ts';

/**
 * Reads a request from a frame of a scanner that lets nothing but requests pass.
 * @throws MqError USAGE or BADNAME; the connection can go on after that.
 */
export function parseRequest(frame: Buffer): Request {
  const words = new WordReader(frame);
  const verb = words.next('a verb').toUpperCase();
  const reading = READINGS.get(verb) ?? addReading(verb);
  const request = reading.start();
  for (const part of reading.operands ?? []) part.read(words, request);
  let next = words.option(reading.named);
  while (next !== undefined) {
    const [name, option] = next;
    next = option.read(words, request, name) === 'end' ? undefined : words.option(reading.named);
  }
  reading.rest?.read(words, request);
  reading.check?.(request);
  words.end();
  return request;
}

/** Limits of the daemon's scanner: a frame has room for the longest message and for much besides. */
export function requestLimits(maxMessage: number) {
  return { bulk: maxMessage, frame: maxMessage + 1024 * 1024, requests: true };
}

/** A row, with its options by their names. */
interface Reading extends Row<Request> {
  named: ReadonlyMap<string, Clause<Request>>;
}

/** Of the verbs that were read already. */
const READINGS = new Map<string, Reading>();

function addReading(verb: string): Reading {
  if (!Object.hasOwn(ROWS, verb)) throw new MqError('USAGE', `unknown command '${verb.slice(0, 40)}'`);
  const row = ROWS[verb as keyof typeof ROWS] as Row<Request>;
  const named = new Map(
    (row.options ?? []).flatMap((option) => option.names.map((name) => [name, option] as const)),
  );
  const reading = { ...row, named };
  READINGS.set(verb, reading);
  return reading;
}
