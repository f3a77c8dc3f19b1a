import type { Exit, Invocation } from '../cli/command.ts';
import { periodOf } from '../cli/options.ts';
import { settle } from '../client/settle.ts';
import { checkName } from '../names.ts';

/** mq fail: leased messages have failed; they come back later, or are given up on. */
export async function run({ operands, options, places, start }: Invocation): Promise<Exit> {
  const [queue, ...leases] = operands as [string, ...string[]];
  checkName(queue);
  const delay = periodOf(options, 'delay');
  await settle(places, start, leases, (lease) => ({ verb: 'FAIL', queue, leases: [lease], delay }));
  return 0;
}
