import type { Exit, Invocation } from '../cli/command.ts';
import { ask } from '../client/ask.ts';
import { toObject } from '../output/describe.ts';
import { print } from '../output/print.ts';

/** mq status: shows the daemon. */
export async function run({ options, places }: Invocation): Promise<Exit> {
  const status = toObject(await ask(places, false, { verb: 'STATUS' }));
  if (options['json']) return print(`${JSON.stringify(status)}\n`);
  const { pairs } = await import('../output/columns.ts');
  return print(pairs(status));
}
