import { ask } from '../client/ask.ts';
import type { Places } from '../paths.ts';
import { notUnderstood } from '../protocol/values.ts';
import { type Described, isPipe, toObject } from './describe.ts';

/** So many queues are asked for at a time: the daemon has a few milliseconds of work with them, and then others their turn. */
const PAGE = 500;

/** All queues, by name, and behind them the pipes: see LS of mq-protocol(7). */
export async function list(places: Places, start: boolean): Promise<Described[]> {
  const all: Described[] = [];
  let after: string | undefined;
  for (;;) {
    const page = await ask(places, start, { verb: 'LS', after, count: PAGE });
    if (!Array.isArray(page)) throw notUnderstood();
    const described = page.map(toObject);
    all.push(...described);
    const queues = described.filter((each) => !isPipe(each));
    if (queues.length < PAGE) return all;
    after = queues.at(-1)?.['name'] as string;
  }
}
