import { ask } from '../client/ask.ts';
import { checkName } from '../names.ts';
import { note } from '../terminal.ts';
import type { Invocation, Outcome } from './command.ts';

/** mq purge: drops what is waiting. */
export async function run({ operands, places, start, quiet }: Invocation): Promise<Outcome> {
  const queue = checkName(operands[0] as string);
  const dropped = await ask(places, start, { verb: 'PURGE', queue });
  if (!quiet) note(`purge ${queue}: ${dropped} dropped`);
  return 0;
}
