import type { Invocation, Outcome } from './command.ts';
import { type Described, isPipe } from './describe.ts';
import { list } from './list.ts';
import { print } from './print.ts';
import type { Cell } from './table.ts';

/** mq ls: lists the queues, and behind them the pipes. */
export async function run({ options, places, start }: Invocation): Promise<Outcome> {
  const all = await list(places, start);
  if (options['json']) return print(all.map((each) => `${JSON.stringify(each)}\n`).join(''));
  const { columns } = await import('./table.ts');
  const queues = all.filter((each) => !isPipe(each));
  const pipes = all.filter(isPipe);
  const tables = [
    columns(
      ['NAME', 'KIND', 'WAITING', 'DELAYED', 'LEASED', 'LIMIT', 'CONSUMERS', 'STATE'],
      queues.map(({ name, kind, waiting, delayed, leased, maxsize, consumers, state }) => {
        return [name, kind, waiting, delayed, leased, maxsize || '-', consumers, state] as Cell[];
      }),
    ),
  ];
  if (pipes.length > 0)
    tables.push(columns(['PIPE', 'STATE', 'PID', 'DIRECTION', 'SENT', 'RECEIVED'], pipes.flatMap(endRows)));
  return print(tables.join('\n'));
}

/** A row for each end. */
function endRows({ name, state, ends }: Described): Cell[][] {
  return (ends as Described[]).map(({ pid, direction, sent, received }) => {
    return [name, state, pid, direction, sent, received] as Cell[];
  });
}
