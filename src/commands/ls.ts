import type { Invocation, Outcome } from './command.ts';
import { type Described, isPipe } from './describe.ts';
import { pages } from './list.ts';
import { print, printAll } from './print.ts';
import type { Cell } from './table.ts';

/** mq ls: lists the queues, and behind them the pipes. */
export async function run({ options, places, start }: Invocation): Promise<Outcome> {
  const all = pages(places, start);
  if (options['json']) return printAll(inJson(all));
  const queues: Cell[][] = [];
  const pipes: Described[] = [];
  for await (const page of all) {
    for (const each of page) {
      if (isPipe(each)) pipes.push(each);
      else queues.push(queueRow(each));
    }
  }
  const { columns } = await import('./table.ts');
  const tables = [
    columns(['NAME', 'KIND', 'WAITING', 'DELAYED', 'LEASED', 'LIMIT', 'CONSUMERS', 'STATE'], queues),
  ];
  if (pipes.length > 0)
    tables.push(columns(['PIPE', 'STATE', 'PID', 'DIRECTION', 'SENT', 'RECEIVED'], pipes.flatMap(endRows)));
  return print(tables.join('\n'));
}

async function* inJson(all: AsyncIterable<Described[]>): AsyncGenerator<string> {
  for await (const page of all) yield page.map((each) => `${JSON.stringify(each)}\n`).join('');
}

function queueRow({ name, kind, waiting, delayed, leased, maxsize, consumers, state }: Described): Cell[] {
  return [name, kind, waiting, delayed, leased, maxsize || '-', consumers, state] as Cell[];
}

/** A row for each end. */
function endRows({ name, state, ends }: Described): Cell[][] {
  return (ends as Described[]).map(({ pid, direction, sent, received }) => {
    return [name, state, pid, direction, sent, received] as Cell[];
  });
}
