import type { Packed } from '../packed.ts';
import type { Kind, Settings } from '../settings.ts';

/**
 * What an engine has to do to carry queues. Each method is one atomic step: all of it happens, or
 * nothing. When its promise is fulfilled, what it changed is safe (with an engine that keeps
 * anything at all), and only then can others see it. Steps on one store happen in the order in
 * which they were called.
 *
 * Who waits is none of the store's business: it says through `onChange` that a queue has something
 * new to offer (a message, room, an end), and the queue layer wakes those who wait.
 *
 * A message that was taken is held until it is settled. Who holds what is not stored: when the
 * daemon dies, what was held is waiting again, in its place.
 *
 * test/store/contract.ts says the same as tests.
 */
export interface Store {
  /** @throws MqError NOTPRIORITY (a priority for a queue without), GAP, DISKFULL, DAMAGED */
  put(queue: string, messages: Packed, options: PutOptions): Promise<PutResult>;

  /** Takes the next messages, at most `limit`, and holds them. */
  take(queue: string, limit: TakeLimit): Promise<TakeResult>;

  /** Takes those of these messages that are waiting, and holds them. */
  takeThese(queue: string, ids: readonly Range[]): Promise<Range[]>;

  /** Ends the hold on messages: they are done and gone, or back in their place. */
  settle(queue: string, ids: readonly Range[], outcome: Outcome): Promise<void>;

  /** The next messages, as `take` would give them; they stay. @throws MqError NOQUEUE */
  peek(queue: string, limit: TakeLimit): Promise<Run[]>;

  /**
   * Moves what waits, or its first `count` messages, to the end of another queue.
   * @returns how many were moved
   * @throws MqError NOQUEUE, CLOSED, FULL (no room for all of them)
   */
  move(from: string, to: string, count?: number): Promise<number>;

  /** Drops what is waiting. @returns how many were dropped. @throws MqError NOQUEUE */
  purge(queue: string): Promise<number>;

  /** @throws MqError NOQUEUE, NOTEMPTY (unless forced) */
  remove(queue: string, force: boolean): Promise<void>;

  /** @throws MqError DIFFERS when there is such a queue and it has other settings */
  create(queue: string, settings: Partial<Settings>): Promise<void>;

  /** @throws MqError NOQUEUE, NOTEMPTY (another kind for a queue with messages) */
  configure(queue: string, settings: Partial<Settings>): Promise<void>;

  /** No more puts; `now`: drops what is waiting, and what is held when it comes back. @throws MqError NOQUEUE */
  close(queue: string, now: boolean): Promise<void>;

  /** Undoes `close`. @throws MqError NOQUEUE */
  open(queue: string): Promise<void>;

  /** Undefined when there is no such queue. */
  stat(queue: string): Promise<QueueState | undefined>;

  /** How many queues there are. */
  count(): Promise<number>;

  /** All queues, by name. */
  list(): Promise<QueueState[]>;

  /** The client with this id will not send anything again: its position need not be kept. */
  forget(client: string): void;

  /** Ends all use of the store, once what was begun is done. */
  end(): Promise<void>;
}

/**
 * Called with the name of a queue when somebody who waits on it may go on now; never for a take or a
 * put that changed nothing, since who waits tries again with one.
 */
export type OnChange = (queue: string) => void;

export interface PutOptions {
  priority: number;
  /**
   * Which of the client's messages the first one is, counted from 0. Those that the store has
   * already are counted as stored and not stored again; when one before them is lacking, none is
   * stored (GAP, or FULL or CLOSED where that holds), so that what is stored of a client's
   * messages is always the first so many.
   */
  client?: { id: string; index: number } | undefined;
}

export interface PutResult {
  /** How many, from the first on, are stored now. */
  stored: number;
  /** Why the rest is not; undefined when there is no rest. */
  lacking?: 'FULL' | 'CLOSED' | undefined;
}

export interface TakeLimit {
  /** At most so many messages. */
  count: number;
  /** No further message once so many bytes, as they are packed, were taken. */
  bytes: number;
}

export interface TakeResult {
  runs: Run[];
  /** The queue is closed and nothing waits in it any more. */
  drained: boolean;
}

/** Messages that follow each other: their ids go up by one, in a lifo queue down by one. */
export interface Run {
  /** The id of the first; ids are positive integers, never used twice in a store. */
  id: number;
  /** 1, or -1 for a lifo queue. */
  step: 1 | -1;
  priority: number;
  /** When they were put: milliseconds since 1970. */
  putAt: number;
  messages: Packed;
}

/** Message ids `first` to `last`, both included. */
export interface Range {
  first: number;
  last: number;
}

export type Outcome = 'done' | 'returned';

export interface QueueState {
  name: string;
  kind: Kind;
  maxsize: number;
  closed: boolean;
  /** Can be taken now. */
  waiting: number;
  /** Taken and not settled. */
  held: number;
  /** Since the queue was made: how many were put, and how many were taken for good. */
  put: number;
  got: number;
  /** When the oldest message that is waiting was put, in ms since 1970; undefined: none waits. */
  oldestAt: number | undefined;
}

/** The ids of a run, from the least to the greatest. */
export function rangeOf({ id, step, messages }: Run): Range {
  const other = id + step * (messages.count - 1);
  return step === 1 ? { first: id, last: other } : { first: other, last: id };
}
