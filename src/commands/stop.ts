import { stop } from '../client/stop.ts';
import { MqError } from '../errors.ts';
import type { Invocation, Outcome } from './command.ts';

/** mq stop: stops the daemon, if one runs. */
export async function run({ places }: Invocation): Promise<Outcome> {
  try {
    await stop(places);
  } catch (error) {
    if (!(error instanceof MqError && error.code === 'NODAEMON')) throw error;
  }
  return 0;
}
