import type { Places } from '../paths.ts';
import type { Value } from '../protocol/values.ts';
import { ask } from './ask.ts';

/** So many queues are asked for at a time: the daemon has a few milliseconds of work with them, and then others their turn. */
const PAGE = 500;

/** The maps of all queues, by name, and behind them those of the pipes: see LS of mq-protocol(7). */
export async function list(places: Places, start: boolean): Promise<Map<string, Value>[]> {
  const all: Map<string, Value>[] = [];
  let after: string | undefined;
  for (;;) {
    const page = (await ask(places, start, { verb: 'LS', after, count: PAGE })) as Map<string, Value>[];
    for (const each of page) all.push(each);
    const queues = page.filter((each) => String(each.get('kind')) !== 'pipe');
    if (queues.length < PAGE) return all;
    after = String(queues.at(-1)?.get('name'));
  }
}
