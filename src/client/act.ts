import { MqError } from '../errors.ts';
import type { Places } from '../paths.ts';
import { notUnderstood } from '../protocol/reader.ts';
import type { Request } from '../protocol/requests.ts';
import { ask } from './ask.ts';

/**
 * Asks for an act on single messages.
 * @param past the act in the past, as in 'moved'
 * @returns the number of messages that it was done to
 * @throws MqError NOMESSAGE with the ids that it could not act on; CLOSED when messages stay for a closed queue
 */
export async function act(
  places: Places,
  start: boolean,
  request: Extract<Request, { verb: 'MOVE' | 'RETRY' | 'DROP' }>,
  past: string,
): Promise<number> {
  const answer = await ask(places, start, request);
  const missing = answer instanceof Map ? answer.get('missing') : undefined;
  if (!(answer instanceof Map) || !Array.isArray(missing)) throw notUnderstood();
  const count = Number(answer.get('count'));
  const closed = answer.get('closed');
  const which = `not there, or not to be ${past}: ${missing.join(', ')}`;
  if (closed !== null) {
    const also = missing.length > 0 ? `; ${which}` : '';
    throw new MqError('CLOSED', `queue ${closed} is closed, and its messages stay${also}; ${count} ${past}`, {
      advice: `mq open ${closed} lets messages in again.`,
    });
  }
  if (missing.length > 0) throw new MqError('NOMESSAGE', `${which}; ${count} ${past}`);
  return count;
}
