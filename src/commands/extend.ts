import { checkName } from '../names.ts';
import type { Invocation, Outcome } from './command.ts';
import { settle } from './leases.ts';
import { parsePeriod } from './options.ts';

/** mq extend: a lease runs out so long from now. */
export function run({ operands, places, start }: Invocation): Promise<Outcome> {
  const [queue, lease, text] = operands as [string, string, string];
  checkName(queue);
  const duration = parsePeriod(text, 'extend', 1);
  return settle(places, start, [lease], () => ({
    verb: 'EXTEND',
    queue,
    leases: [lease],
    duration,
  }));
}
