import type { Exit, Invocation } from '../cli/command.ts';
import { ask } from '../client/ask.ts';
import { checkName } from '../names.ts';
import { print } from '../output/print.ts';

/** mq size: prints how many messages are waiting. */
export async function run({ operands, places, start }: Invocation): Promise<Exit> {
  const queue = checkName(operands[0] as string);
  return print(`${await ask(places, start, { verb: 'SIZE', queue })}\n`);
}
