import { isLarge, type Large, type Packed } from '../packed.ts';
import type { Settings } from '../settings.ts';

/**
 * What an engine has to do to carry queues. Each method is one atomic step: all of it happens, or
 * nothing. What is much is done in parts, with the steps of others between, each of which is atomic: so
 * are `purge`, `move`, `close` with `now`, `settle`, and what is done with more than 500 leases (of
 * which all are there when it begins). `take`, `lease` and `elapse` do a part, and say so.
 *
 * When its promise is fulfilled, it has happened, and the end of this process does not undo
 * it; only then can others see it. That the end of the machine does not undo it either (with an
 * engine that keeps anything at all), `safe` says: nobody is to be told before that something is
 * stored, but what is stored may be handed out. Steps on one store happen in the order in which they
 * were called.
 *
 * Who waits is none of the store's business: it says that a queue has changed (a message, room, an
 * end), and the queue layer wakes those who wait. Nor does it look at the clock by itself: it says
 * when something is due, and the queue layer calls `elapse` then.
 *
 * A message that was taken is held until it is settled. Who holds what is not stored: when the
 * daemon dies, what was held is waiting again, in its place. A lease is stored: it ends when it is
 * settled or runs out, and not before.
 *
 * test/store/contract.ts says the same as tests.
 */
export interface Store {
  /**
   * @throws MqError NOTPRIORITY (a priority for a queue without), GAP, NOLEASE (see `PutOptions.done`),
   *   DISKFULL, DAMAGED
   */
  put(queue: string, messages: Packed, options: PutOptions): Promise<PutResult>;

  /** Takes the next messages, at most `limit`, and holds them. */
  take(queue: string, limit: TakeLimit): Promise<TakeResult>;

  /**
   * Takes the next messages on lease: they come back when they are not settled within `duration` ms.
   * @param about called with the tokens before they are safe: when the process is killed while they
   *   are written, only this has told of leases that are there all the same. They may come to nothing.
   */
  lease(
    queue: string,
    limit: TakeLimit,
    duration: number,
    about?: (tokens: readonly string[]) => void,
  ): Promise<TakeResult>;

  /** Takes those of these messages that are waiting, and holds them. */
  takeThese(queue: string, ids: readonly Range[]): Promise<Range[]>;

  /** Ends the hold on messages: they are done and gone, or back in their place. */
  settle(queue: string, ids: readonly Range[], outcome: Outcome): Promise<void>;

  /**
   * Ends leases: their messages are done and gone, back in their place, or have failed once more.
   * @param delay in ms, how long one that failed is delayed, instead of the queue's retry delay
   * @returns how many were given up on
   * @throws MqError NOLEASE when one of them is not there; then nothing has happened
   */
  settleLeases(
    queue: string,
    leases: readonly string[],
    outcome: Outcome | 'failed',
    delay?: number,
    once?: Once,
  ): Promise<number>;

  /** Those of these leases that are there end, as by `settleLeases` with 'returned'. */
  returnLeases(queue: string, leases: readonly string[]): Promise<void>;

  /**
   * The leases run out `duration` ms from now.
   * @throws MqError NOLEASE when one of them is not there; then nothing has happened
   */
  extend(queue: string, leases: readonly string[], duration: number): Promise<void>;

  /**
   * Does what time brings: what was delayed waits, what was leased and not settled has failed and is
   * back, what has expired is gone. To be called when `Events.due` said so; where that is much, it does
   * a part, and says at once when it is to be called for the rest.
   */
  elapse(): Promise<void>;

  /** The next messages, as `take` would give them; they stay. @throws MqError NOQUEUE */
  peek(queue: string, limit: TakeLimit): Promise<Run[]>;

  /**
   * Moves what waits, or its first `count` messages, to the end of another queue, as if none had
   * ever failed. What is put meanwhile stays.
   * @returns how many were moved
   * @throws MqError NOQUEUE, CLOSED, FULL (no room for all of them), DAMAGED; with `stored`, how many were
   *   moved, when not all of it was done
   */
  move(from: string, to: string, count?: number, once?: Once): Promise<number>;

  /** Drops what is waiting or delayed. @returns how many were dropped. @throws MqError NOQUEUE */
  purge(queue: string, once?: Once): Promise<number>;

  /** @throws MqError NOQUEUE, NOTEMPTY (unless forced) */
  remove(queue: string, force: boolean, once?: Once): Promise<void>;

  /** @throws MqError DIFFERS when there is such a queue and it has other settings */
  create(queue: string, settings: Partial<Settings>): Promise<void>;

  /** @throws MqError NOQUEUE, NOTEMPTY (another kind for a queue with messages) */
  configure(queue: string, settings: Partial<Settings>): Promise<void>;

  /**
   * No more puts; `now`: drops what is waiting or delayed, and what is held or leased when it comes back.
   * @throws MqError NOQUEUE
   */
  close(queue: string, now: boolean): Promise<void>;

  /** Undoes `close`. @throws MqError NOQUEUE */
  open(queue: string): Promise<void>;

  /** Undefined when there is no such queue. */
  stat(queue: string): Promise<QueueState | undefined>;

  /** How many queues there are. */
  count(): Promise<number>;

  /** The names of the first `count` queues, by name, of those behind the name `after`. */
  names(after: string | undefined, count: number): Promise<string[]>;

  /** The queues, by name: the first `count` of those behind the name `after`. */
  list(after?: string, count?: number): Promise<QueueState[]>;

  /** Nobody is connected, and would wait: what takes a while may be done now. */
  rest(): Promise<void>;

  /**
   * The store's clock, in ms since 1970, which leases, delays and times to live count on. It begins at
   * the wall clock, or at the latest time that the store has seen where that is later; it never runs back.
   */
  now(): number;

  /**
   * Fulfilled when all that has happened is safe.
   * @throws MqError IOERROR, DISKFULL: what of it is on disk is not known, nor can it be from then on
   */
  safe(): Promise<void>;

  /** How many of this client's messages are stored: see `PutOptions.client`. */
  stored(client: string): Promise<number>;

  /** The client with this id will not send anything again: its position and its answers need not be kept. */
  forget(client: string): void;

  /** Ends all use of the store, once what was begun is done. */
  end(): Promise<void>;
}

export interface Events {
  /**
   * Somebody who waits on this queue may go on now. Never for a take or a put that changed nothing,
   * since who waits tries again with one.
   */
  changed(queue: string): void;
  /**
   * `elapse` is to be called at this time, on the store's clock; sooner than what was said before. Not
   * before whoever opens the store has it.
   */
  due(time: number): void;
}

/** Milliseconds since 1970, steadily rising while the process runs, whoever sets the clock. */
export type Clock = () => number;

export interface PutOptions {
  priority: number;
  /** In ms: the messages wait only after so long. */
  delay?: number | undefined;
  /** In ms: the messages are dropped when they have not been taken after so long. */
  ttl?: number | undefined;
  /**
   * While a message of this queue has this key, nothing is put, and that counts as stored. It has it from
   * its put until it is gone, moved to another queue, or the queue is removed; not being given up on takes
   * it away, in whichever queue it then stands, but it is that of the queue that it was put into. Goes with
   * one message.
   */
  key?: string | undefined;
  /**
   * In the same step this lease is done: both happen, or neither. The messages are stored together,
   * beyond the queue's limit if it has any room.
   */
  done?: { queue: string; lease: string } | undefined;
  /**
   * Which of the client's messages the first one is, counted from 0. Those that the store has
   * already are counted as stored and not stored again; when one before them is lacking, none is
   * stored (GAP, or FULL or CLOSED where that holds), so that what is stored of a client's
   * messages is always the first so many.
   */
  client?: { id: string; index: number } | undefined;
  /** With `done`: the step happens once. */
  once?: Once | undefined;
}

/**
 * Names a step of a client's, which is asked for again when its answer was lost: it happens once. When
 * it has happened, in an earlier daemon it may be, it does nothing and gives the answer that it gave
 * then. One that was refused has not happened.
 */
export interface Once {
  /** The client's id, as in `PutOptions.client`. */
  client: string;
  /** Which of the client's steps it is. */
  seq: number;
  /** Steps with a lesser `seq` will not be asked for again: their answers need not be kept. */
  acked: number;
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
  /** There may be more that is within the limit: others are to have their turn first. */
  isPart: boolean;
  /** The queue is closed, and nothing in it is waiting or delayed. */
  drained: boolean;
  /** Nothing in the queue is unfinished, be it open, closed or not there. */
  finished: boolean;
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
  /** How often each of them has failed. */
  failures: number;
  /** A message that is too large to be in memory is the only one of its run. */
  messages: Packed | Large;
  /** With messages on lease: a token for each, and when all of them run out, on the store's clock. */
  leases?: { tokens: string[]; until: number } | undefined;
}

/** Message ids `first` to `last`, both included. */
export interface Range {
  first: number;
  last: number;
}

export type Outcome = 'done' | 'returned';

export interface QueueState extends Settings {
  name: string;
  /** 'now': what comes back is dropped. */
  closed: false | true | 'now';
  /** Can be taken now. */
  waiting: number;
  /** Will be waiting, later. */
  delayed: number;
  /** Taken and not settled. */
  held: number;
  /** On lease. */
  leased: number;
  /** Since the queue was made: how many were put. */
  put: number;
  /** How many were taken for good, or on lease (each time). */
  got: number;
  /** How many were taken for good, or done. */
  done: number;
  /** How often one failed, how many were given up on, and how many were dropped by their ttl. */
  failed: number;
  dead: number;
  expired: number;
  /** When the oldest message that is waiting was put, in ms since 1970; undefined: none waits. */
  oldestAt: number | undefined;
}

/** How many of a queue's messages are unfinished. */
export function unfinished({ waiting, delayed, held, leased }: QueueState): number {
  return waiting + delayed + held + leased;
}

/** The ids of a run, from the least to the greatest. */
export function rangeOf({ id, step, messages }: Run): Range {
  const other = id + step * (messages.count - 1);
  return step === 1 ? { first: id, last: other } : { first: other, last: id };
}

/** @throws MqError DAMAGED when messages of these that are too large to be in memory were altered */
export async function checkLarge(runs: readonly Run[]): Promise<void> {
  for (const { messages } of runs) if (isLarge(messages)) await messages.check();
}

/** The tokens of the leases of runs. */
export function tokensOf(runs: readonly Run[]): string[] {
  return runs.flatMap(({ leases }) => leases?.tokens ?? []);
}
