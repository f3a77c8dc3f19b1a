import { ask } from '../client/ask.ts';
import { checkName } from '../names.ts';
import type { Invocation, Outcome } from './command.ts';

/** mq open: undoes mq close. */
export async function run({ operands, places, start }: Invocation): Promise<Outcome> {
  const queue = checkName(operands[0] as string);
  await ask(places, start, { verb: 'OPEN', queue });
  return 0;
}
