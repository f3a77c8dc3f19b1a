import type { MessageState } from '../message-state.ts';
import { notUnderstood } from '../protocol/reader.ts';
import type { Request } from '../protocol/requests.ts';
import type { Value } from '../protocol/values.ts';
import { ask } from './ask.ts';
import type { Caller } from './find-daemon.ts';
import { Line } from './line.ts';

/** Messages asked for at a time. */
const PAGE = 500;

/** A message as PEEK describes it one by one (mq-protocol(7)). */
export type EntryMap = ReadonlyMap<string, Value>;

export interface EntriesWanted {
  state: MessageState;
  /** The most messages. */
  count: number;
  /** The most bytes of each body. */
  cut?: number | undefined;
}

/** A queue's messages in the order of their ids, page by page. */
export async function* entriesIn(
  caller: Caller,
  queue: string,
  { state, count, cut }: EntriesWanted,
): AsyncGenerator<EntryMap[]> {
  const line = await Line.open(caller);
  try {
    let after = 0;
    for (let left = count; left > 0; ) {
      const some = Math.min(left, PAGE);
      const page = readEntries(await line.ask({ verb: 'PEEK', queue, count: some, state, after, cut }));
      if (page.length === 0) return;
      yield page;
      left -= page.length;
      after = Number(page.at(-1)?.get('id'));
    }
  } finally {
    line.destroy();
  }
}

/** Messages by one question. */
export async function entriesOnce(
  caller: Caller,
  request: Extract<Request, { verb: 'PEEK' }>,
): Promise<EntryMap[]> {
  return readEntries(await ask(caller.places, caller.start, request));
}

/** @throws MqError PROTOCOL */
function readEntries(answer: Value): EntryMap[] {
  if (!Array.isArray(answer) || !answer.every((each) => each instanceof Map)) throw notUnderstood();
  return answer;
}
