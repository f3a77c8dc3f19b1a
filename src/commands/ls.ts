import type { Exit, Invocation } from '../cli/command.ts';
import { countOf, stateOf } from '../cli/options.ts';
import { allQueues } from '../client/all-queues.ts';
import { entriesIn } from '../client/entries.ts';
import { MqError } from '../errors.ts';
import { checkName } from '../names.ts';
import type { Cell } from '../output/columns.ts';
import { type Described, isPipe, shownState, toObject } from '../output/describe.ts';
import { entryJson } from '../output/listed.ts';
import { print, printAll } from '../output/print.ts';
import type { Value } from '../protocol/values.ts';
import { tty } from '../tty.ts';

/** mq ls: lists the queues, and behind them the pipes; or the messages of a queue. */
export async function run(invocation: Invocation): Promise<Exit> {
  const { operands, options, places, start } = invocation;
  const [name] = operands;
  if (name !== undefined) return listMessages(checkName(name), invocation);
  if (options['state'] !== undefined || options['count'] !== undefined)
    throw new MqError('USAGE', '--state and --count are for the messages of a QUEUE');
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

/** Lists the messages of a queue in the order of their ids. */
async function listMessages(queue: string, { options, places, start }: Invocation): Promise<Exit> {
  const state = stateOf(options) ?? 'all';
  const count = countOf(options) ?? Infinity;
  const caller = { places, start };
  if (options['json']) {
    async function* lines() {
      for await (const page of entriesIn(caller, queue, { state, count }))
        yield page.map((entry) => entryJson(queue, entry)).join('');
    }
    return printAll(lines());
  }
  const { ListingTable, shownBytes } = await import('../output/listing-table.ts');
  const columns = tty().isatty(1) ? process.stdout.columns : undefined;
  const table = new ListingTable(columns);
  async function* pages() {
    let isAny = false;
    for await (const page of entriesIn(caller, queue, { state, count, cut: shownBytes(columns) })) {
      isAny = true;
      yield table.page(page);
    }
    if (!isAny) yield table.page([]);
  }
  return printAll(pages());
}

async function* inJson(all: AsyncIterable<Value[]>): AsyncGenerator<string> {
  for await (const page of all) yield page.map((each) => `${JSON.stringify(toObject(each))}\n`).join('');
}

const FIELDS = ['name', 'kind', 'waiting', 'delayed', 'leased', 'maxsize', 'consumers'];

function queueRow(queue: Map<string, Value>): Cell[] {
  const cells = FIELDS.map((field) =>
    field === 'maxsize' && queue.get(field) === 0 ? '-' : queue.get(field),
  ) as Cell[];
  return [...cells, shownState(queue.get('state'), queue.get('paused'))];
}

/** Rows of a pipe, one for each end. */
function endRows({ name, state, ends }: Described): Cell[][] {
  return (ends as Described[]).map(({ pid, direction, sent, received }) => {
    return [name, state, pid, direction, sent, received] as Cell[];
  });
}
