import { ask } from '../client/ask.ts';
import type { Invocation, Outcome } from './command.ts';
import { toObject } from './describe.ts';
import { print } from './print.ts';

/** mq status: shows the daemon. */
export async function run({ options, places }: Invocation): Promise<Outcome> {
  const status = toObject(await ask(places, false, { verb: 'STATUS' }));
  if (options['json']) return print(`${JSON.stringify(status)}\n`);
  const { pairs } = await import('./table.ts');
  return print(pairs(status));
}
