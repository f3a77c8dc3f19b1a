import type { Exit, Invocation } from '../cli/command.ts';
import { allQueues } from '../client/all-queues.ts';
import type { Cell } from '../output/columns.ts';
import { type Described, isPipe, stateOf, toObject } from '../output/describe.ts';
import { print, printAll } from '../output/print.ts';
import type { Value } from '../protocol/values.ts';

/** mq ls: lists the queues, and behind them the pipes. */
export async function run({ options, places, start }: Invocation): Promise<Exit> {
  const all = allQueues(places, start);
  if (options['json']) return printAll(inJson(all));
  const queues: Cell[][] = [];
  const pipes: Described[] = [];
  for await (const page of all) {
    for (const each of page) {
      if (isPipe(each.get('kind'))) pipes.push(toObject(each));
      else queues.push(queueRow(each));
    }
  }
  const { columns } = await import('../output/columns.ts');
  const tables = [
    columns(['NAME', 'KIND', 'WAITING', 'DELAYED', 'LEASED', 'LIMIT', 'CONSUMERS', 'STATE'], queues),
  ];
  if (pipes.length > 0)
    tables.push(columns(['PIPE', 'STATE', 'PID', 'DIRECTION', 'SENT', 'RECEIVED'], pipes.flatMap(endRows)));
  return print(tables.join('\n'));
}

async function* inJson(all: AsyncIterable<Value[]>): AsyncGenerator<string> {
  for await (const page of all) yield page.map((each) => `${JSON.stringify(toObject(each))}\n`).join('');
}

const FIELDS = ['name', 'kind', 'waiting', 'delayed', 'leased', 'maxsize', 'consumers'];

function queueRow(queue: Map<string, Value>): Cell[] {
  const cells = FIELDS.map((field) =>
    field === 'maxsize' && queue.get(field) === 0 ? '-' : queue.get(field),
  ) as Cell[];
  return [...cells, stateOf(queue.get('state'), queue.get('paused'))];
}

/** Rows of a pipe, one for each end. */
function endRows({ name, state, ends }: Described): Cell[][] {
  return (ends as Described[]).map(({ pid, direction, sent, received }) => {
    return [name, state, pid, direction, sent, received] as Cell[];
  });
}
