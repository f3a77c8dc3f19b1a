import { ask } from '../client/ask.ts';
import { checkName } from '../names.ts';
import type { Invocation, Outcome } from './command.ts';
import { settingsOf } from './options.ts';

/** mq set: changes a queue's settings. */
export async function run({ operands, options, places, start }: Invocation): Promise<Outcome> {
  const queue = checkName(operands[0] as string);
  await ask(places, start, { verb: 'SET', queue, settings: settingsOf(options) });
  return 0;
}
