import type { Exit, Invocation } from '../cli/command.ts';
import { ask } from '../client/ask.ts';
import { checkName } from '../names.ts';

/** mq pause: nothing is handed out. */
export async function run({ operands, places, start }: Invocation): Promise<Exit> {
  const queue = checkName(operands[0] as string);
  await ask(places, start, { verb: 'PAUSE', queue });
  return 0;
}
