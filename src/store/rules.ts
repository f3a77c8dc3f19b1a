import { MqError } from '../errors.ts';
import { LONGEST_NAME } from '../names.ts';
import type { Settings } from '../settings.ts';
import type { TakeLimit } from './store.ts';

/** The rules by which every engine refuses, and their errors. */

export function noQueue(name: string): MqError {
  return new MqError('NOQUEUE', `there is no queue ${name}`);
}

export function notEmpty(name: string, count: number): MqError {
  return new MqError(
    'NOTEMPTY',
    `queue ${name} has ${count} unfinished ${count === 1 ? 'message' : 'messages'}`,
  );
}

export function exists(name: string): MqError {
  return new MqError('EXISTS', `there is a queue ${name} already`);
}

export function busy(name: string, count: number): MqError {
  const messages = count === 1 ? 'a message' : `${count} messages`;
  return new MqError('BUSY', `queue ${name} has ${messages} that somebody has taken`);
}

export function closed(name: string): MqError {
  return new MqError('CLOSED', `queue ${name} is closed`);
}

export function full(name: string): MqError {
  return new MqError('FULL', `queue ${name} is full`);
}

export function noRoomFor(count: number, name: string): MqError {
  return new MqError('FULL', `queue ${name} has no room for ${count} messages`);
}

export function gap(): MqError {
  return new MqError('GAP', 'messages before these are missing');
}

/** @throws MqError NOTPRIORITY: only priority queues have priorities other than 0. */
export function checkPriority(name: string, { kind }: Settings, priority: number): void {
  if (priority !== 0 && kind !== 'priority') {
    throw new MqError('NOTPRIORITY', `queue ${name} is a ${kind} queue: its messages have no priority`);
  }
}

/** @throws MqError DIFFERS when a named setting is not the standing one. */
export function differences(name: string, standing: Settings, named: Partial<Settings>): void {
  for (const key of Object.keys(named) as (keyof Settings)[]) {
    const [is, value] = [standing, named as Settings].map((settings) =>
      key === 'dead_letter' ? deadLetterOf(name, settings) : settings[key],
    );
    if (is === value) continue;
    const unit = key === 'retry_delay' ? 'ms' : '';
    const what = key.replace('_', '-');
    throw new MqError('DIFFERS', `queue ${name} has --${what} ${is}${unit}, not ${value}${unit}`);
  }
}

/** @throws MqError USAGE: a queue would give its messages up to itself. */
export function checkSettings(name: string, { dead_letter }: Partial<Settings>): void {
  if (dead_letter === name) throw new MqError('USAGE', `queue ${name} cannot be its own dead-letter queue`);
}

const DEAD = '.dead';

/** The queue to which another gives its messages up. */
export function deadLetterOf(name: string, { dead_letter }: Settings): string {
  return dead_letter || name.slice(0, LONGEST_NAME - DEAD.length) + DEAD;
}

/** The beginning of the names of queues that give up to this one by default; longer names of queues are cut there. */
export function prefixOfDead(deadLetter: string): { prefix: string; within: number } | undefined {
  if (!deadLetter.endsWith(DEAD)) return undefined;
  return { prefix: deadLetter.slice(0, -DEAD.length), within: LONGEST_NAME - DEAD.length };
}

/** The most messages that may be leased now, of a queue of which so many are. */
export function leasable({ max_leased }: Settings, leased: number, limit: TakeLimit): number {
  const { count, atOnce = count } = limit;
  return max_leased === 0 ? count : Math.max(0, Math.min(count, atOnce, max_leased - leased));
}

/** Whether a message with so many failures is given up on. */
export function isGivenUp({ max_attempts }: Settings, failures: number): boolean {
  return max_attempts > 0 && failures >= max_attempts;
}

/** Milliseconds of the longest delay after a failure: one hour. */
const MOST_DELAY = 3600e3;

/**
 * Milliseconds of delay after a failure: twice as long each time, up to an hour, and up to a quarter more at random,
 * so that messages that failed together are not tried again together.
 */
export function retryDelay({ retry_delay: first }: Settings, failures: number): number {
  const delay = Math.min(first * 2 ** (failures - 1), Math.max(first, MOST_DELAY));
  return Math.floor(delay * (1 + Math.random() / 4));
}

/** A lease's token: the id of its message, and a number that no other lease of that message has had. */
export function leaseToken(id: number, nonce: number): string {
  return `${id}.${nonce.toString(36)}`;
}

export function newNonce(): number {
  return Math.floor(Math.random() * 2 ** 48);
}

/** The id of the message that a token is for; undefined: it is no token. */
export function parseLease(token: string): { id: number; nonce: number } | undefined {
  const [, id, nonce] = /^(\d{1,15})\.([0-9a-z]{1,10})$/.exec(token) ?? [];
  return nonce === undefined ? undefined : { id: Number(id), nonce: Number.parseInt(nonce, 36) };
}

export function noLease(queue: string, token: string): MqError {
  return new MqError('NOLEASE', `there is no lease ${token} in queue ${queue}`);
}

/** Whether the error is that messages, or the store, were altered by somebody else. */
export function isDamaged(error: unknown): boolean {
  return error instanceof MqError && error.code === 'DAMAGED';
}
