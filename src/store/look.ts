import type { Run } from './run.ts';

/** The state of a message as people see it: one that is held counts as leased. */
export type LookState = 'waiting' | 'delayed' | 'leased';

/** The messages that are looked for. */
export interface LookLimit {
  /** The least id, and the greatest. */
  from: number;
  to?: number | undefined;
  /** Messages in this state only. */
  state?: LookState | undefined;
  /** The most messages, and bytes of packed messages after which there is no further one. */
  count: number;
  bytes: number;
}

/** A message as it stands in its queue. */
export interface Entry {
  /** The message by itself, with its lease if it has one. */
  run: Run;
  state: LookState;
  /** Milliseconds after which a delayed message waits. */
  dueIn?: number | undefined;
  /** Milliseconds after which it is dropped if it waits then. */
  expiresIn?: number | undefined;
  key?: string | undefined;
}
