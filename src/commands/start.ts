import type { Exit, Invocation } from '../cli/command.ts';
import { ask } from '../client/ask.ts';
import { MqError } from '../errors.ts';

/** mq start: starts the daemon where none answers. */
export async function run({ places, start }: Invocation): Promise<Exit> {
  try {
    await ask(places, start, { verb: 'PING' });
    return 0;
  } catch (error) {
    if (start || !(error instanceof MqError)) throw error;
    const advice = '--no-start or MQ_NO_START=1 forbids starting one.';
    throw new MqError(error.code, error.message, { cause: error, advice });
  }
}
