import { now } from '../clock.ts';
import type { Places } from '../paths.ts';
import { PATIENCE } from './connect.ts';
import { Connection, isLoss } from './connection.ts';
import { findDaemon } from './find-daemon.ts';

/**
 * Stops the daemon, of whatever version it is, and waits for the end of its process.
 * @throws MqError NODAEMON when none runs; UNREACHABLE, UNKNOWN when it hangs
 */
export async function stop(places: Places): Promise<void> {
  const limit = now() + PATIENCE;
  const connection = new Connection(await findDaemon({ places, start: false }, limit, limit));
  try {
    await connection.greet(undefined, limit);
    await connection.ask({ verb: 'STOP' }, { limit });
    // The kernel closes it when the daemon's process ends.
    await connection.closed;
  } catch (error) {
    // The daemon has ended meanwhile.
    if (!isLoss(error)) throw error;
  } finally {
    connection.destroy();
  }
}
