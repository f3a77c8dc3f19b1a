import { ask } from '../client/ask.ts';
import { checkName } from '../names.ts';
import type { Invocation, Outcome } from './command.ts';

/** mq rm: removes a queue. */
export async function run({ operands, options, places, start }: Invocation): Promise<Outcome> {
  const queue = checkName(operands[0] as string);
  await ask(places, start, { verb: 'RM', queue, force: options['force'] === true });
  return 0;
}
