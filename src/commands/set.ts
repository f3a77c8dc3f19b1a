import type { Exit, Invocation } from '../cli/command.ts';
import { settingsOf } from '../cli/options.ts';
import { ask } from '../client/ask.ts';
import { checkName } from '../names.ts';

/** mq set: changes a queue's settings. */
export async function run({ operands, options, places, start }: Invocation): Promise<Exit> {
  const queue = checkName(operands[0] as string);
  await ask(places, start, { verb: 'SET', queue, settings: settingsOf(options) });
  return 0;
}
