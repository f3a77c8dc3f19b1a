import type { Exit, Invocation } from '../cli/command.ts';
import { ask } from '../client/ask.ts';
import { checkName } from '../names.ts';

/** mq rm: removes a queue. */
export async function run({ operands, options, places, start }: Invocation): Promise<Exit> {
  const queue = checkName(operands[0] as string);
  await ask(places, start, { verb: 'RM', queue, force: options['force'] === true });
  return 0;
}
