import type { Exit, Invocation } from '../cli/command.ts';
import { stop } from '../client/stop.ts';
import { MqError } from '../errors.ts';

/** mq stop: stops the daemon, if one runs. */
export async function run({ places }: Invocation): Promise<Exit> {
  try {
    await stop(places);
  } catch (error) {
    if (!(error instanceof MqError && error.code === 'NODAEMON')) throw error;
  }
  return 0;
}
