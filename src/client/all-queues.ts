import type { Places } from '../paths.ts';
import { notUnderstood, Reader } from '../protocol/reader.ts';
import type { Value } from '../protocol/values.ts';
import { Line } from './line.ts';

/** Queues asked for at a time: memory for all of them is spared, and so is a question for each. */
const PAGE = 5000;

/** All queues by name, and behind them the pipes (LS of mq-protocol(7)), some at a time, as the daemon describes them. */
export async function* allQueues(places: Places, start: boolean): AsyncGenerator<Map<string, Value>[]> {
  const line = await Line.open({ places, start, deadline: Infinity });
  let after: string | undefined;
  const ask = (): Promise<Value> => {
    const request = line.request({ verb: 'LS', after, count: PAGE });
    const answer = request.then((frame) => new Reader(frame).readTexts());
    // It is awaited later.
    answer.catch(() => {});
    return answer;
  };
  try {
    for (let next: Promise<Value> | undefined = ask(); next !== undefined; ) {
      const { page, size } = read(await next);
      // Pipes stand behind all queues.
      const last = page.at(-1);
      const isEnd = size < PAGE || last?.get('kind') === 'pipe';
      if (last) after = String(last.get('name'));
      // The daemon makes the next page while this one is used.
      next = isEnd ? undefined : ask();
      yield page;
    }
  } finally {
    line.destroy();
  }
}

/** The queues and pipes in an answer, and the number of queues and pipes that were asked for. */
function read(answer: Value): { page: Map<string, Value>[]; size: number } {
  if (!Array.isArray(answer)) throw notUnderstood();
  // Nil is a queue that was removed meanwhile.
  const page = answer.filter((each) => each !== null);
  if (!page.every((each) => each instanceof Map)) throw notUnderstood();
  return { page, size: answer.length };
}
