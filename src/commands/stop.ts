import { ask } from '../client/ask.ts';
import { MqError } from '../errors.ts';
import type { Invocation, Outcome } from './index.ts';

/** mq stop: stops the daemon, if one runs. */
export async function run({ places }: Invocation): Promise<Outcome> {
  try {
    await ask(places, false, { verb: 'STOP' });
  } catch (error) {
    const isGone = error instanceof MqError && (error.code === 'UNREACHABLE' || error.code === 'STOPPED');
    if (!isGone) throw error;
  }
  return 0;
}
