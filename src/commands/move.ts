import type { Exit, Invocation } from '../cli/command.ts';
import { countOf } from '../cli/options.ts';
import { act } from '../client/act.ts';
import { ask } from '../client/ask.ts';
import { MqError } from '../errors.ts';
import { parseId } from '../message-id.ts';
import { checkName } from '../names.ts';
import { note } from '../output/terminal.ts';

/** mq move: waiting messages go to the end of another queue. */
export async function run({ operands, options, places, start, quiet }: Invocation): Promise<Exit> {
  const [queue, to] = operands.slice(0, 2).map(checkName) as [string, string];
  const ids = operands.slice(2).map(parseId);
  const count = countOf(options);
  if (count !== undefined && ids.length > 0) throw new MqError('USAGE', '--count does not go with IDs');
  const request = { verb: 'MOVE', queue, to, count } as const;
  const moved = await (ids.length > 0
    ? act(places, start, { ...request, ids }, 'moved')
    : ask(places, start, request)
  ).catch(withCount);
  if (!quiet) note(`move ${queue}: ${moved} moved to ${to}`);
  return 0;
}

/** Adds the number of messages that were moved before the error. */
function withCount(error: unknown): never {
  if (!(error instanceof MqError) || error.stored === undefined) throw error;
  const { code, message, cause, advice, stored } = error;
  throw new MqError(code, `${stored} moved, then ${message}`, { cause, advice, stored });
}
