import { ask } from '../client/ask.ts';
import { checkName } from '../names.ts';
import type { Invocation, Outcome } from './command.ts';
import { print } from './print.ts';

/** mq size: prints how many messages are waiting. */
export async function run({ operands, places, start }: Invocation): Promise<Outcome> {
  const queue = checkName(operands[0] as string);
  return print(`${await ask(places, start, { verb: 'SIZE', queue })}\n`);
}
