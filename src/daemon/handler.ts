import type { Request, Verb } from '../protocol/requests.ts';
import type { Value } from '../protocol/values.ts';
import type { Queues } from '../queue/queues.ts';
import type { Budget } from './budget.ts';
import type { Parts } from './parts.ts';
import type { Opener, Pipes } from './pipes.ts';

/** The daemon, as the verbs need it. */
export interface Daemon {
  /** Bytes of the longest message. */
  maxMessage: number;
  readonly pipes: Pipes;
  readonly budget: Budget;
  /** @throws MqError STOPPED once nothing can be carried out any more */
  check(): void;
  /** @see Garbage.account */
  account(bytes: number, requests?: number): void;
  /** @see Garbage.released */
  released(bytes: number): void;
  /** The answer to STATUS. */
  status(): Promise<Map<string, Value>>;
  /** Ends the daemon for good; fulfilled when everything but this session is closed. */
  stop(): Promise<void>;
  /** Ends the daemon so that a newer one takes its place. */
  makeRoom(): void;
  /** Ends the daemon: there is nothing left to serve. */
  giveUp(why: string): void;
}

/** The connection that a request came over. */
export interface Peer extends Opener {
  /** RESP version of its answers. */
  version: 2 | 3;
  /** Whether it is mq's own client, which said HELLO MQ. */
  isMq: boolean;
  destroy(): void;
}

export interface Answer {
  /** The answer; undefined: the client has been told already. */
  value: Value | Parts | undefined;
  /** Called when the operating system has taken the answer's last byte, or refused it. */
  sent?: (taken: boolean) => void;
  /** Whether the answer may go out before the step is on disk: see `Store.synced`. */
  needsNoSync?: boolean;
  /** Whether the connection closes after this answer. */
  last?: boolean;
}

/** The surroundings of a request. */
export interface Context {
  session: Peer;
  queues: Queues;
  daemon: Daemon;
}

/** Carries out the requests of one verb. */
export type Handler<V extends Verb> = (
  request: Extract<Request, { verb: V }>,
  context: Context,
) => Promise<Value | Parts | Answer> | Value | Answer;
