import type { Exit, Invocation } from '../cli/command.ts';
import { parsePeriod } from '../cli/options.ts';
import { settle } from '../client/settle.ts';
import { checkName } from '../names.ts';

/** mq extend: a lease runs out after a duration from now. */
export async function run({ operands, places, start }: Invocation): Promise<Exit> {
  const [queue, lease, text] = operands as [string, string, string];
  checkName(queue);
  const duration = parsePeriod(text, 'extend', 1);
  await settle(places, start, [lease], () => ({
    verb: 'EXTEND',
    queue,
    leases: [lease],
    duration,
  }));
  return 0;
}
