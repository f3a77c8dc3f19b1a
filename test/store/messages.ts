import { isLarge, type Large, type Packed, pack, unpack } from '../../src/packed.ts';
import type { Range } from '../../src/range.ts';
import type { Origin, Run } from '../../src/store/run.ts';

/** One message of a run; its body as latin1, so that any bytes can be compared as text. */
export interface Message {
  id: number;
  priority: number;
  putAt: number;
  failures: number;
  body: string;
  origin: Origin | undefined;
  /** Its lease's token, where it has one. */
  lease: string | undefined;
}

export function packed(...bodies: string[]): Packed {
  return pack(bodies.map((body) => Buffer.from(body, 'latin1')));
}

/** The messages of runs, one by one: engines may cut runs differently. */
export function messagesOf(runs: readonly Run[]): Message[] {
  return runs.flatMap(({ id, step, priority, putAt, failures, messages, leases, origin }) =>
    unpack(inMemory(messages)).map((body, i) => ({
      id: id + step * i,
      priority,
      putAt,
      failures,
      origin,
      lease: leases?.tokens[i],
      body: body.toString('latin1'),
    })),
  );
}

/** @throws where it is too large */
function inMemory(messages: Packed | Large): Packed {
  if (isLarge(messages)) throw new Error('not in memory');
  return messages;
}

/** The runs, with the messages in memory that an engine had not. */
export function loaded(runs: readonly Run[]): Promise<Run[]> {
  return Promise.all(
    runs.map(async (run) => {
      const { messages } = run;
      if (!isLarge(messages)) return run;
      await messages.check();
      const pieces: Buffer[] = [];
      for await (const piece of messages.pieces()) pieces.push(piece);
      return { ...run, messages: { count: 1, bytes: Buffer.concat(pieces) } };
    }),
  );
}

export function bodiesOf(messages: readonly Message[]): string[] {
  return messages.map(({ body }) => body);
}

/** Each message's id, as a range of its own, so that any order of them can be asked for. */
export function idsOf(messages: readonly { id: number }[]): Range[] {
  return messages.map(({ id }) => ({ first: id, last: id }));
}

export function idsIn(ranges: readonly Range[]): number[] {
  return ranges
    .flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i))
    .sort((a, b) => a - b);
}

export const ALL = { count: Infinity, bytes: Infinity };

/** For tests in which no time passes and nobody waits. */
export const SILENT = { changed: () => {}, due: () => {} };
