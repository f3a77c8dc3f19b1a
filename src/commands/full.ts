import type { Exit, Invocation } from '../cli/command.ts';
import { ask } from '../client/ask.ts';
import { checkName } from '../names.ts';

/** mq full: tells by its exit status whether there is no room. */
export async function run({ operands, places, start }: Invocation): Promise<Exit> {
  const queue = checkName(operands[0] as string);
  return (await ask(places, start, { verb: 'FULL', queue })) === 1 ? 0 : 1;
}
