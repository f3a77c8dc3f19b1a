import { ask } from '../client/ask.ts';
import { checkName } from '../names.ts';
import type { Invocation, Outcome } from './command.ts';
import { toObject } from './describe.ts';
import { print } from './print.ts';

/** mq stat: shows all about one queue. */
export async function run({ operands, options, places, start }: Invocation): Promise<Outcome> {
  const queue = checkName(operands[0] as string);
  const state = toObject(await ask(places, start, { verb: 'STAT', queue }));
  if (options['json']) return print(`${JSON.stringify(state)}\n`);
  const { pairs } = await import('./table.ts');
  return print(pairs(state));
}
