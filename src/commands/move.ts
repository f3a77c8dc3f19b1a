import { ask } from '../client/ask.ts';
import { MqError } from '../errors.ts';
import { checkName } from '../names.ts';
import { note } from '../terminal.ts';
import type { Invocation, Outcome } from './command.ts';
import { countOf } from './options.ts';

/** mq move: what is waiting goes to the end of another queue. */
export async function run({ operands, options, places, start, quiet }: Invocation): Promise<Outcome> {
  const [queue, to] = operands.map(checkName) as [string, string];
  const moved = await ask(places, start, { verb: 'MOVE', queue, to, count: countOf(options) }).catch(
    withCount,
  );
  if (!quiet) note(`move ${queue}: ${moved} moved to ${to}`);
  return 0;
}

/** Says how many were moved before it could not go on. */
function withCount(error: unknown): never {
  if (!(error instanceof MqError) || error.stored === undefined) throw error;
  const { code, message, cause, advice, stored } = error;
  throw new MqError(code, `${stored} moved, then ${message}`, { cause, advice, stored });
}
