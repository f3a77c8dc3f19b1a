import { checkName } from '../names.ts';
import type { Invocation, Outcome } from './command.ts';
import { settle } from './leases.ts';
import { periodOf } from './options.ts';

/** mq fail: what was leased has failed; it comes back later, or is given up on. */
export function run({ operands, options, places, start }: Invocation): Promise<Outcome> {
  const [queue, ...leases] = operands as [string, ...string[]];
  checkName(queue);
  const delay = periodOf(options, 'delay');
  return settle(places, start, leases, (lease) => ({ verb: 'FAIL', queue, leases: [lease], delay }));
}
