import type { Exit, Invocation } from '../cli/command.ts';
import { act } from '../client/act.ts';
import { MqError } from '../errors.ts';
import { parseId } from '../message-id.ts';
import { checkName } from '../names.ts';
import { note } from '../output/terminal.ts';

/** mq retry: messages that failed are tried again. */
export async function run({ operands, places, start, quiet }: Invocation): Promise<Exit> {
  const [name, ...ids] = operands as [string, ...string[]];
  const queue = checkName(name);
  const count = await act(
    places,
    start,
    { verb: 'RETRY', queue, ids: ids.length > 0 ? ids.map(parseId) : undefined },
    'retried',
  );
  if (count === 0 && ids.length === 0) throw new MqError('EMPTY', 'there is nothing to retry');
  if (!quiet) note(`retry ${queue}: ${count} retried`);
  return 0;
}
