import type { Exit, Invocation } from '../cli/command.ts';
import { ask } from '../client/ask.ts';
import { checkName } from '../names.ts';
import { shownState, toObject } from '../output/describe.ts';
import { print } from '../output/print.ts';

/** mq stat: shows all about one queue. */
export async function run({ operands, options, places, start }: Invocation): Promise<Exit> {
  const queue = checkName(operands[0] as string);
  const state = toObject(await ask(places, start, { verb: 'STAT', queue }));
  if (options['json']) return print(`${JSON.stringify(state)}\n`);
  const { pairs } = await import('../output/columns.ts');
  const { paused, ...rest } = state;
  return print(pairs({ ...rest, state: shownState(state['state'], paused) }));
}
