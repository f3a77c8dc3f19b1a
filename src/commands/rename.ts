import type { Exit, Invocation } from '../cli/command.ts';
import { ask } from '../client/ask.ts';
import { checkName } from '../names.ts';

/** mq rename: gives a queue another name. */
export async function run({ operands, places, start }: Invocation): Promise<Exit> {
  const [queue, to] = operands.map(checkName) as [string, string];
  await ask(places, start, { verb: 'RENAME', queue, to });
  return 0;
}
