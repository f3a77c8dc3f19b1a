import type { Exit, Invocation } from '../cli/command.ts';
import { deadlineOf } from '../cli/options.ts';
import { ask } from '../client/ask.ts';
import { now } from '../clock.ts';
import { MqError } from '../errors.ts';
import { checkName } from '../names.ts';
import { countsOf } from '../output/counts.ts';
import { TEXTS } from '../texts.ts';

/** mq join: waits until nothing in a queue is unfinished. */
export async function run({ operands, options, places, start, quiet }: Invocation): Promise<Exit> {
  const queue = checkName(operands[0] as string);
  const deadline = deadlineOf(options);
  const question = () =>
    ({ verb: 'JOIN', queue, timeout: Math.max(0, Math.ceil(deadline - now())) }) as const;
  const answer = await ask(places, start, question, deadline);
  if (answer !== null) return 0;
  const counts = quiet ? '' : await countsOf(places, [queue]);
  throw new MqError('UNFINISHED', `${TEXTS.unfinished}${counts}`);
}
