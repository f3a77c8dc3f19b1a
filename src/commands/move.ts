import type { Exit, Invocation } from '../cli/command.ts';
import { countOf } from '../cli/options.ts';
import { ask } from '../client/ask.ts';
import { MqError } from '../errors.ts';
import { checkName } from '../names.ts';
import { note } from '../output/terminal.ts';

/** mq move: waiting messages go to the end of another queue. */
export async function run({ operands, options, places, start, quiet }: Invocation): Promise<Exit> {
  const [queue, to] = operands.map(checkName) as [string, string];
  const moved = await ask(places, start, { verb: 'MOVE', queue, to, count: countOf(options) }).catch(
    withCount,
  );
  if (!quiet) note(`move ${queue}: ${moved} moved to ${to}`);
  return 0;
}

/** Adds the number of messages that were moved before the error. */
function withCount(error: unknown): never {
  if (!(error instanceof MqError) || error.stored === undefined) throw error;
  const { code, message, cause, advice, stored } = error;
  throw new MqError(code, `${stored} moved, then ${message}`, { cause, advice, stored });
}
