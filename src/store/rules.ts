import { MqError } from '../errors.ts';
import type { Settings } from '../settings.ts';

/** The rules that every engine refuses by, and the errors it refuses with. */

export function noQueue(name: string): MqError {
  return new MqError('NOQUEUE', `there is no queue ${name}`);
}

export function notEmpty(name: string, count: number): MqError {
  return new MqError(
    'NOTEMPTY',
    `queue ${name} has ${count} unfinished ${count === 1 ? 'message' : 'messages'}`,
  );
}

/** @throws MqError NOTPRIORITY: only priority queues have priorities other than 0. */
export function checkPriority(name: string, { kind }: Settings, priority: number): void {
  if (priority !== 0 && kind !== 'priority') {
    throw new MqError('NOTPRIORITY', `queue ${name} is a ${kind} queue: its messages have no priority`);
  }
}

/** @throws MqError DIFFERS when a named setting is not the standing one. */
export function differences(name: string, standing: Settings, named: Partial<Settings>): void {
  for (const [key, value] of Object.entries(named)) {
    const is = standing[key as keyof Settings];
    if (is !== value) throw new MqError('DIFFERS', `queue ${name} has ${key} ${is}, not ${value}`);
  }
}
