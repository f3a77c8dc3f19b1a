import type { Exit, Invocation } from '../cli/command.ts';
import { settle } from '../client/settle.ts';
import { checkName } from '../names.ts';

/** mq done: leased messages are done, and gone. */
export async function run({ operands, places, start }: Invocation): Promise<Exit> {
  const [queue, ...leases] = operands as [string, ...string[]];
  checkName(queue);
  await settle(places, start, leases, (lease) => ({ verb: 'DONE', queue, ids: [], leases: [lease] }));
  return 0;
}
