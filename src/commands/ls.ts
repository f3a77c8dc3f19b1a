import { ask } from '../client/ask.ts';
import type { Value } from '../protocol/values.ts';
import type { Invocation, Outcome } from './command.ts';
import { toObject } from './describe.ts';
import { print } from './print.ts';

/** mq ls: lists the queues. */
export async function run({ options, places, start }: Invocation): Promise<Outcome> {
  const queues = ((await ask(places, start, { verb: 'LS' })) as Value[]).map(toObject);
  if (options['json']) return print(queues.map((queue) => `${JSON.stringify(queue)}\n`).join(''));
  const { columns } = await import('./table.ts');
  const rows = queues.map(({ name, kind, waiting, delayed, leased, maxsize, consumers, state }) => {
    return [name, kind, waiting, delayed, leased, maxsize || '-', consumers, state] as (string | number)[];
  });
  const head = ['NAME', 'KIND', 'WAITING', 'DELAYED', 'LEASED', 'LIMIT', 'CONSUMERS', 'STATE'];
  return print(columns(head, rows));
}
