import { connectToDaemon } from '../client/connect.ts';
import { MqError } from '../errors.ts';
import type { Invocation, Outcome } from './command.ts';

/** mq stop: stops the daemon, if one runs. */
export async function run({ places }: Invocation): Promise<Outcome> {
  try {
    const connection = await connectToDaemon(places, false);
    await connection.ask({ verb: 'STOP' });
    // The kernel closes it when the daemon's process ends.
    await connection.closed;
  } catch (error) {
    const isGone = error instanceof MqError && (error.code === 'UNREACHABLE' || error.code === 'STOPPED');
    if (!isGone) throw error;
  }
  return 0;
}
