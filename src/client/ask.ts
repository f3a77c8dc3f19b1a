import type { Places } from '../paths.ts';
import type { Value } from '../protocol/values.ts';
import { Line, type Question } from './line.ts';

/**
 * Asks the daemon one question. If it dies before it answers, the next one is asked.
 * @param start whether a daemon may be started
 * @param deadline the time at which the command wants an end, on the clock of now()
 * @throws MqError as Line.request, and the reason why there is no daemon
 */
export async function ask(
  places: Places,
  start: boolean,
  question: Question,
  deadline = Infinity,
): Promise<Value> {
  const line = await Line.open({ places, start, deadline });
  try {
    return await line.ask(question);
  } finally {
    line.destroy();
  }
}
