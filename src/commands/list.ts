import { ask } from '../client/ask.ts';
import type { Places } from '../paths.ts';
import { notUnderstood } from '../protocol/values.ts';
import { type Described, isPipe, toObject } from './describe.ts';

/** So many queues are asked for at a time: to ask for all takes memory, and to ask for each time. */
const PAGE = 5000;

/** All queues, by name, and behind them the pipes: see LS of mq-protocol(7). */
export async function list(places: Places, start: boolean): Promise<Described[]> {
  const all: Described[] = [];
  for await (const page of pages(places, start)) for (const each of page) all.push(each);
  return all;
}

/** The same, some at a time. */
export async function* pages(places: Places, start: boolean): AsyncGenerator<Described[]> {
  let after: string | undefined;
  for (;;) {
    const page = await ask(places, start, { verb: 'LS', after, count: PAGE });
    if (!Array.isArray(page)) throw notUnderstood();
    // Nil is a queue that was removed meanwhile.
    const described = page.filter((each) => each !== null).map(toObject);
    yield described;
    const queues = described.filter((each) => !isPipe(each));
    if (page.length - described.length + queues.length < PAGE) return;
    after = (queues.at(-1)?.['name'] as string | undefined) ?? after;
  }
}
