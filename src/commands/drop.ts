import type { Exit, Invocation } from '../cli/command.ts';
import { act } from '../client/act.ts';
import { parseId } from '../message-id.ts';
import { checkName } from '../names.ts';
import { note } from '../output/terminal.ts';

/** mq drop: messages are gone. */
export async function run({ operands, places, start, quiet }: Invocation): Promise<Exit> {
  const [name, ...ids] = operands as [string, ...string[]];
  const queue = checkName(name);
  const count = await act(places, start, { verb: 'DROP', queue, ids: ids.map(parseId) }, 'dropped');
  if (!quiet) note(`drop ${queue}: ${count} dropped`);
  return 0;
}
