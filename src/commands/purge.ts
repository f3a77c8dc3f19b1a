import type { Exit, Invocation } from '../cli/command.ts';
import { ask } from '../client/ask.ts';
import { checkName } from '../names.ts';
import { note } from '../output/terminal.ts';

/** mq purge: drops waiting messages. */
export async function run({ operands, places, start, quiet }: Invocation): Promise<Exit> {
  const queue = checkName(operands[0] as string);
  const dropped = await ask(places, start, { verb: 'PURGE', queue });
  if (!quiet) note(`purge ${queue}: ${dropped} dropped`);
  return 0;
}
