import type { Exit, Invocation } from '../cli/command.ts';
import { ask } from '../client/ask.ts';
import { checkName } from '../names.ts';

/** mq close: no more puts. */
export async function run({ operands, options, places, start }: Invocation): Promise<Exit> {
  const queue = checkName(operands[0] as string);
  await ask(places, start, { verb: 'CLOSE', queue, now: options['now'] === true });
  return 0;
}
