import { checkName } from '../names.ts';
import type { Invocation, Outcome } from './command.ts';
import { settle } from './leases.ts';

/** mq done: what was leased is done, and gone. */
export function run({ operands, places, start }: Invocation): Promise<Outcome> {
  const [queue, ...leases] = operands as [string, ...string[]];
  checkName(queue);
  return settle(places, start, leases, (lease) => ({ verb: 'DONE', queue, ids: [], leases: [lease] }));
}
