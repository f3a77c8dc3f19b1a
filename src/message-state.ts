import { MqError } from './errors.ts';

export const MESSAGE_STATES = ['all', 'waiting', 'delayed', 'leased'] as const;

/** A state of messages to be shown, or any. */
export type MessageState = (typeof MESSAGE_STATES)[number];

/** @throws MqError USAGE */
export function parseState(text: string, what: string): MessageState {
  const state = MESSAGE_STATES.find((each) => each === text);
  if (state === undefined)
    throw new MqError('USAGE', `${what} takes all, waiting, delayed or leased, not '${text.slice(0, 40)}'`);
  return state;
}
