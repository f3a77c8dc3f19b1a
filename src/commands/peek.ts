import type { Exit, Invocation } from '../cli/command.ts';
import { countOf, framingOf, idOf, stateOf } from '../cli/options.ts';
import { ask } from '../client/ask.ts';
import { type EntryMap, entriesIn, entriesOnce } from '../client/entries.ts';
import type { Held } from '../client/held.ts';
import { MqError } from '../errors.ts';
import { separatorOf } from '../lines.ts';
import { checkName } from '../names.ts';
import { countsOf } from '../output/counts.ts';
import { entryJson } from '../output/listed.ts';
import { print, printAll } from '../output/print.ts';
import { renderer } from '../output/render.ts';
import { pack } from '../packed.ts';

/** mq peek: prints messages and leaves them. */
export async function run(invocation: Invocation): Promise<Exit> {
  const { operands, options, places, start, quiet } = invocation;
  const queue = checkName(operands[0] as string);
  const id = idOf(options);
  const state = stateOf(options);
  if (id !== undefined && (state !== undefined || options['count']))
    throw new MqError('USAGE', '--id goes with neither --count nor --state');
  const separator = separatorOf(framingOf(options));
  const count = countOf(options) ?? 1;
  const caller = { places, start };
  const nothing = async () => {
    const counts = quiet ? '' : await countsOf(places, [queue]);
    const which = state === undefined ? 'waiting' : state === 'all' ? 'there' : state;
    return new MqError('EMPTY', `no message is ${which}${counts}`);
  };
  const render = (entries: readonly EntryMap[]): string | Buffer =>
    options['json']
      ? entries.map((entry) => entryJson(queue, entry)).join('')
      : renderer(separator)(entries.map((entry) => heldOf(queue, entry))).bytes;
  if (state !== undefined) {
    let isAny = false;
    const wanted = { state, count };
    async function* pages() {
      for await (const page of entriesIn(caller, queue, wanted)) {
        isAny = true;
        yield render(page);
      }
    }
    const exit = await printAll(pages());
    if (!isAny) throw await nothing();
    return exit;
  }
  if (id !== undefined || options['json']) {
    const entries = await entriesOnce(caller, { verb: 'PEEK', queue, count, id, map: true });
    if (entries.length === 0) throw await nothing();
    return print(render(entries));
  }
  const runs = (await ask(places, start, { verb: 'PEEK', queue, count })) as [
    number,
    1 | -1,
    number,
    number,
    number,
    Buffer[],
  ][];
  if (runs.length === 0) throw await nothing();
  const held = runs.map(([id, step, priority, putAt, attempt, messages]): Held => {
    return { queue, id, step, priority, putAt, attempt, messages: pack(messages) };
  });
  return print(renderer(separator)(held).bytes);
}

function heldOf(queue: string, entry: EntryMap): Held {
  const [id, priority, putAt, attempt] = ['id', 'priority', 'put_at', 'attempt'].map((field) =>
    Number(entry.get(field)),
  ) as [number, number, number, number];
  return { queue, id, step: 1, priority, putAt, attempt, messages: pack([entry.get('body') as Buffer]) };
}
