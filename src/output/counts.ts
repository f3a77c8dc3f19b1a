import { ask } from '../client/ask.ts';
import { MqError } from '../errors.ts';
import type { Places } from '../paths.ts';
import { TEXTS } from '../texts.ts';
import { toObject } from './describe.ts';

export const STATES = ['waiting', 'delayed', 'leased'] as const;

/**
 * The numbers of messages in these queues, as ` (2 waiting, paused)`, and the queues that do not exist. An
 * empty text when there is nothing to say.
 */
export async function countsOf(places: Places, queues: readonly string[]): Promise<string> {
  const counts = { waiting: 0, delayed: 0, leased: 0 };
  const missing: string[] = [];
  let isPaused = false;
  for (const queue of new Set(queues)) {
    try {
      const state = toObject(await ask(places, false, { verb: 'STAT', queue }, 0));
      for (const each of STATES) counts[each] += Number(state[each]);
      isPaused ||= state['paused'] === true;
    } catch (error) {
      if (!(error instanceof MqError)) throw error;
      // Of other errors the command tells what it met itself.
      if (error.code === 'NOQUEUE') missing.push(queue);
    }
  }
  const parts = STATES.filter((state) => counts[state] > 0).map((state) => `${counts[state]} ${state}`);
  if (isPaused) parts.push('paused');
  if (missing.length > 0) parts.push(`${TEXTS.noQueue}${missing.join(', ')}`);
  return parts.length > 0 ? ` (${parts.join(', ')})` : '';
}
