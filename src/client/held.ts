import type { Packed } from '../packed.ts';
import { notUnderstood, type Reader } from '../protocol/reader.ts';
import type { RequestOf } from '../protocol/verbs/row.ts';
import type { Range } from '../range.ts';

/** Messages that follow each other, and are held for this process: a run of GET (mq-protocol(7)). */
export interface Held {
  queue: string;
  id: number;
  step: 1 | -1;
  priority: number;
  putAt: number;
  /** The number of this attempt, from 1. */
  attempt: number;
  messages: Packed;
  /** Leases of the messages: a token for each, and their common end, in ms since 1970. */
  leases?: { tokens: string[]; until: number } | undefined;
  /** Of a dead letter, where it was asked for: the queue that gave it up, and the id that it had there. */
  origin?: { queue: string; id: number } | undefined;
}

/** The acknowledgement of messages that are consumed. */
export interface Ack {
  queue: string;
  ids: Range[];
  leases: string[];
}

/**
 * Reads the answer to this GET, in packed runs (mq-protocol(7)); undefined: it brought nothing.
 * @throws MqError PROTOCOL
 */
export function readRuns(
  reader: Reader,
  { queues, origin }: Pick<RequestOf<'GET'>, 'queues' | 'origin'>,
): Held[] | undefined {
  if (reader.isNil) return undefined;
  let runs = reader.size();
  let queue = queues[0] as string;
  if (queues.length > 1) {
    queue = reader.text();
    runs = reader.size();
  }
  return Array.from({ length: runs }, () => readRun(reader, queue, origin));
}

function readRun(reader: Reader, queue: string, hasOrigin = false): Held {
  const fields = reader.size() - (hasOrigin ? 1 : 0);
  const [id, step, priority, putAt, attempt, count] = Array.from({ length: 6 }, () => reader.integer()) as [
    number,
    1 | -1,
    number,
    number,
    number,
    number,
  ];
  const bytes = reader.bulk();
  if (bytes === null) throw notUnderstood();
  const held: Held = { queue, id, step, priority, putAt, attempt, messages: { count, bytes } };
  if (fields > 7) {
    const until = reader.integer();
    held.leases = { until, tokens: Array.from({ length: reader.size() }, () => reader.text()) };
  }
  const origin = hasOrigin ? reader.read() : null;
  if (Array.isArray(origin)) held.origin = { queue: String(origin[0]), id: Number(origin[1]) };
  return held;
}

/** The acknowledgement of the first `count` of these messages. */
export function acknowledge(held: readonly Held[], count: number): Ack {
  const ids: Range[] = [];
  const tokens: string[] = [];
  let left = count;
  for (const { id, step, messages, leases } of held) {
    if (left === 0) break;
    const some = Math.min(left, messages.count);
    left -= some;
    tokens.push(...(leases?.tokens.slice(0, some) ?? []));
    const other = id + step * (some - 1);
    const range = { first: Math.min(id, other), last: Math.max(id, other) };
    const end = ids.at(-1);
    if (end && end.last + 1 === range.first) end.last = range.last;
    else ids.push(range);
  }
  return { queue: held[0]?.queue as string, ids, leases: tokens };
}

export function bytesOf(held: readonly Held[]): number {
  return held.reduce((sum, { messages }) => sum + messages.bytes.length, 0);
}

export function sizeOf(held: readonly Held[]): number {
  return held.reduce((sum, { messages }) => sum + messages.count, 0);
}
