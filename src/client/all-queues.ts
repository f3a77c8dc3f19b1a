import type { Places } from '../paths.ts';
import { notUnderstood } from '../protocol/reader.ts';
import type { Value } from '../protocol/values.ts';
import { ask } from './ask.ts';

/** Queues asked for at a time: memory for all of them is spared, and so is a question for each. */
const PAGE = 5000;

/** All queues by name, and behind them the pipes (LS of mq-protocol(7)), some at a time, as the daemon describes them. */
export async function* allQueues(places: Places, start: boolean): AsyncGenerator<Map<string, Value>[]> {
  let after: string | undefined;
  for (;;) {
    const answer = await ask(places, start, { verb: 'LS', after, count: PAGE });
    if (!Array.isArray(answer)) throw notUnderstood();
    // Nil is a queue that was removed meanwhile.
    const page = answer.filter((each) => each !== null);
    if (!page.every((each) => each instanceof Map)) throw notUnderstood();
    yield page;
    const queues = page.filter((each) => String(each.get('kind')) !== 'pipe');
    if (answer.length - page.length + queues.length < PAGE) return;
    const last = queues.at(-1);
    if (last) after = String(last.get('name'));
  }
}
