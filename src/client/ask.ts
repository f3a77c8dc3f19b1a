import { MqError } from '../errors.ts';
import type { Places } from '../paths.ts';
import type { Request } from '../protocol/requests.ts';
import type { Value } from '../protocol/values.ts';
import { connector } from './connect.ts';
import { isLoss } from './producer.ts';

/** What could have an effect twice if it were sent again. */
const ONCE = new Set<Request['verb']>(['MOVE', 'RM']);

/**
 * Asks the daemon one thing. If it dies before it answers, the next one is asked, unless that could
 * do a thing twice.
 * @param start whether a daemon may be started
 * @throws MqError what the daemon answered, or why there is no answer
 */
export async function ask(
  places: Places,
  start: boolean,
  question: Request | (() => Request),
): Promise<Value> {
  const connect = connector(places, start);
  for (;;) {
    const connection = await connect();
    // One with a timeout has less time left when it is asked again.
    const request = typeof question === 'function' ? question() : question;
    try {
      return await connection.ask(request);
    } catch (error) {
      if (!isLoss(error)) throw error;
      if (ONCE.has(request.verb)) {
        throw new MqError('LOST', 'the daemon died before it answered', {
          cause: error,
          advice: 'It may have been done or not: see mq ls.',
        });
      }
    } finally {
      connection.destroy();
    }
  }
}
