import type { Once } from '../once.ts';
import type { Packed } from '../packed.ts';
import type { Range } from '../range.ts';
import type { Settings } from '../settings.ts';
import type { Acted } from './acted.ts';
import type { Entry, LookLimit } from './look.ts';
import type { QueueState } from './queue-state.ts';
import type { Run } from './run.ts';

/**
 * The interface of an engine that carries queues. Each method is one atomic step: all of it happens, or nothing.
 * Long steps are done in atomic parts, with the steps of others between: `purge`, `move`, `close` with `now`,
 * `settle`, `moveIds`, `retry`, `drop`, and steps with more than 500 leases (which are checked before the first part). `take`, `lease` and
 * `runDue` do one part, and say so.
 *
 * A step has happened when its promise is fulfilled. Only then can others see it, and the end of this process does
 * not undo it. When `synced` is fulfilled, the end of the machine does not undo it either (with an engine that keeps
 * anything at all): nobody is told before that something is stored, though it may be handed out. Steps on one store
 * happen in the order of the calls.
 *
 * The store does not know who waits: it tells that a queue has changed (a message, room, an end), and the queue
 * layer wakes those who wait, which look again every few seconds besides. Nor does it act by itself when something is due:
 * it tells when that will be, and the queue layer then calls `runDue`.
 *
 * An engine has a clock of its own for leases, delays and times to live, which nobody sets back. No reading of it is
 * told, only durations.
 *
 * A message that was taken is held until it is settled. Holds are not stored: when the daemon dies, held messages
 * are waiting again, in their places. A lease is stored: it ends when it is settled or runs out, and not before.
 *
 * An owner is who has messages and can die; its name is one that no other ever has, such as that of a process. What an
 * owner with a name has is reserved for it, from before anybody else can hear of it until it is settled: also when the
 * daemon dies, because the owner may have consumed it.
 *
 * test/store/contract.ts has the same as tests.
 */
export interface Store {
  /**
   * @throws MqError NOTPRIORITY (a priority for a queue without), GAP, NOLEASE (see `PutOptions.done`),
   *   DISKFULL, DAMAGED
   */
  put(queue: string, messages: Packed, options: PutOptions): Promise<PutResult>;

  /**
   * Takes the next messages, at most `limit`, and holds them.
   * @param owner who has them reserved: see `reserved`
   */
  take(queue: string, limit: TakeLimit, owner?: string): Promise<TakeResult>;

  /**
   * Takes the next messages on lease: they come back unless they are settled within `duration` ms. No more are on lease
   * than the queue's `max_leased`, if that is not 0.
   * @param owner who has them reserved, because the leases are to end with it; not when the leases end with nobody
   */
  lease(queue: string, limit: TakeLimit, duration: number, owner?: string): Promise<TakeResult>;

  /** Takes the messages among these that are waiting, and holds them, for the owner. @returns their ids */
  takeIds(queue: string, ids: readonly Range[], owner?: string): Promise<Range[]>;

  /** Ends the hold on messages, which the owner has: they are done and gone, or back in their place. */
  settle(queue: string, ids: readonly Range[], outcome: Outcome, owner?: string): Promise<void>;

  /**
   * Ends leases: their messages are done and gone, back in their place, or have failed once more.
   * @param delay milliseconds of delay after a failure, instead of the queue's retry delay
   * @returns the number of messages that were given up on
   * @throws MqError NOLEASE when one of them is not there; then nothing has happened
   */
  settleLeases(
    queue: string,
    leases: readonly string[],
    outcome: Outcome | 'failed',
    delay?: number,
    once?: Once,
  ): Promise<number>;

  /** Ends the leases among these that are there, as `settleLeases` does with 'returned'. */
  returnLeases(queue: string, leases: readonly string[]): Promise<void>;

  /**
   * The leases run out `duration` ms from now.
   * @param binding who has them reserved from now on, if anybody; undefined: as before
   * @throws MqError NOLEASE when one of them is not there; then nothing has happened
   */
  extend(queue: string, leases: readonly string[], duration: number, binding?: Binding): Promise<void>;

  /**
   * The messages that owners of an earlier daemon have reserved, held for them still; to be asked for once, before
   * anything is taken. It is for the caller to find out which of the owners come back, and to settle what the others
   * have.
   */
  reserved(): Promise<Reservation[]>;

  /**
   * The owner has given back what it had over one of its connections, or a part of that: what it has no more is not
   * reserved for it any longer. What is done need not be told.
   */
  gaveBack(owner: string): void;

  /**
   * Does what is due: delayed messages wait, leases that have run out have failed and are back, expired messages are
   * gone. To be called at the time of `Events.due`, and at any other; of a long step it does a part, and calls
   * that for the rest.
   */
  runDue(): Promise<void>;

  /** The next messages, as `take` would give them, without taking them. @throws MqError NOQUEUE */
  peek(queue: string, limit: TakeLimit): Promise<Run[]>;

  /** Messages in the order of their ids, whatever their state; what is not told is not read. @throws MqError NOQUEUE */
  look(queue: string, look: LookLimit): Promise<Entry[]>;

  /**
   * Moves waiting messages, or the first `count` of them, to the end of another queue, as if none had ever failed.
   * Messages that are put meanwhile stay.
   * @returns the number of messages that were moved
   * @throws MqError NOQUEUE, CLOSED, FULL (no room for all of them), DAMAGED; with `stored`, the number of messages
   *   that were moved before
   */
  move(from: string, to: string, count?: number, once?: Once): Promise<number>;

  /**
   * Moves those of these messages that wait, as `move` does.
   * @throws MqError NOQUEUE, CLOSED, FULL (no room for all that wait), DAMAGED; with `stored`
   */
  moveIds(from: string, to: string, ids: readonly number[], once?: Once): Promise<Acted>;

  /**
   * Tries messages again that have failed. Dead letters go to the end of the queue that gave them up, beyond its limit,
   * as if they had never failed; that is made where it has gone, and where it is closed they stay. Messages that are
   * delayed because they failed wait.
   * @param ids these only, and also such as were put with a delay; undefined: all that there are
   * @throws MqError NOQUEUE, DAMAGED
   */
  retry(queue: string, ids: readonly number[] | undefined, once?: Once): Promise<Acted>;

  /** Drops these messages, be they waiting, delayed, held or on lease. @throws MqError NOQUEUE */
  drop(queue: string, ids: readonly number[], once?: Once): Promise<Acted>;

  /** Drops waiting and delayed messages. @returns their number. @throws MqError NOQUEUE */
  purge(queue: string, once?: Once): Promise<number>;

  /** @throws MqError NOQUEUE, NOTEMPTY (unless forced) */
  remove(queue: string, force: boolean, once?: Once): Promise<void>;

  /**
   * Gives a queue another name. It keeps its messages, their keys and its dead-letter queue; settings and origins that
   * name it follow.
   * @throws MqError NOQUEUE, EXISTS (there is a queue of that name), BUSY (something is held or on lease), USAGE (it
   *   would be its own dead-letter queue)
   */
  rename(queue: string, to: string, once?: Once): Promise<void>;

  /** @throws MqError DIFFERS when there is such a queue and it has other settings */
  create(queue: string, settings: Partial<Settings>): Promise<void>;

  /** @throws MqError NOQUEUE, NOTEMPTY (another kind for a queue with messages) */
  configure(queue: string, settings: Partial<Settings>): Promise<void>;

  /**
   * Refuses puts from now on. With `now`, it drops waiting and delayed messages, and held and leased ones when they
   * come back.
   * @throws MqError NOQUEUE
   */
  close(queue: string, now: boolean): Promise<void>;

  /** Undoes `close`. @throws MqError NOQUEUE */
  open(queue: string): Promise<void>;

  /** `take` and `lease` find nothing from now on; all else goes on. @throws MqError NOQUEUE */
  pause(queue: string, once?: Once): Promise<void>;

  /** Undoes `pause`. @throws MqError NOQUEUE */
  resume(queue: string, once?: Once): Promise<void>;

  /** The state of a queue; undefined: there is no such queue. */
  stat(queue: string): Promise<QueueState | undefined>;

  /** The number of queues. */
  count(): Promise<number>;

  /** The names of the first `count` queues, by name, of those behind the name `after`. */
  names(after: string | undefined, count: number): Promise<string[]>;

  /** The queues, by name: the first `count` of those behind the name `after`. */
  list(after?: string, count?: number): Promise<QueueState[]>;

  /** Does work that takes a while; to be called when nobody is connected and would wait. */
  rest(): Promise<void>;

  /**
   * Waits until all steps so far are on disk. It is one promise for all of them, because answers that tell what others
   * did wait for it as well: a size, a join, the refusal of a queue that was closed.
   * @throws MqError IOERROR, DISKFULL when it is not known, now and from then on, what is on disk
   */
  synced(): Promise<void>;

  /** The number of this client's messages that are stored: see `PutOptions.client`. */
  stored(client: string): Promise<number>;

  /** The ids of the client's messages from this position on, as far as they are kept: see `PutOptions.ids`. */
  idsOf(client: string, position: number): Promise<readonly Range[]>;

  /** Forgets the position and the answers of a client, which will not send anything again. */
  forget(client: string): void;

  /** Whether the next daemon would find this store, as far as can be seen. */
  isInPlace(): boolean;

  /** Ends all use of the store, once steps that have begun are done. */
  end(): Promise<void>;
}

/**
 * Opens a store, which may take time.
 * @param events called only once that is done
 * @throws MqError INUSE, DAMAGED, DISKFULL, IOERROR, NOTALLOWED
 */
export type OpenStore = (events: Events) => Promise<Store>;

export interface Events {
  /**
   * Called when a wait on this queue may be over: soon in general, but it may come late, twice or not at all, with an
   * engine on another machine for instance. Never for a take or a put that changed nothing, because those who wait try
   * again with one.
   */
  changed(queue: string): void;
  /**
   * Asks for a call of `runDue` in so many milliseconds, if none was asked for before that. It may come late, twice or
   * not at all, too: `runDue` is called every few seconds besides while somebody waits.
   */
  due(milliseconds: number): void;
}

/** Milliseconds since 1970, steadily rising while the process runs, whoever sets the clock. */
export type Clock = () => number;

export interface PutOptions {
  priority: number;
  /** Milliseconds after which the messages wait. */
  delay?: number | undefined;
  /** Milliseconds after which messages that were not taken are dropped. */
  ttl?: number | undefined;
  /**
   * While a message of this queue has this key, nothing is put, and that counts as stored. A message has its key until
   * it is gone, is moved to another queue, or the queue is removed. A dead letter keeps its key, wherever it stands: it
   * is the key of the queue that it was put into. Goes with one message.
   */
  key?: string | undefined;
  /**
   * A lease that is done in the same step: both happen, or neither. The messages are stored together, beyond the
   * queue's limit if it has any room.
   */
  done?: { queue: string; lease: string } | undefined;
  /**
   * The position of the first message among those of the client, from 0. Messages that the store has already count as
   * stored and are not stored again. When an earlier one is lacking, none is stored (GAP, or FULL or CLOSED if that
   * holds), so that the stored messages of a client are always its first ones.
   */
  client?: { id: string; index: number } | undefined;
  /** With `done`: makes the step take effect once. */
  once?: Once | undefined;
  /**
   * Asks for the ids of the messages. Those of a client are kept from its position `since` on, so that a put that is
   * asked for again has the same.
   */
  ids?: { since: number } | undefined;
}

export interface PutResult {
  /** The number of messages that are stored now, the first ones of the put. */
  stored: number;
  /** The reason why the rest is not; undefined: there is no rest. */
  lacking?: 'FULL' | 'CLOSED' | undefined;
  /**
   * With `ids`: those of the stored messages, in their order, or that of the message that has the key already. Ids of
   * messages that were stored by a put that did not ask for them are not among them.
   */
  ids?: readonly Range[] | undefined;
}

export interface TakeLimit {
  /** The most messages. */
  count: number;
  /** Bytes of packed messages after which no further message is taken. */
  bytes: number;
  /** The message with this id only, from a paused queue too. */
  id?: number | undefined;
  /** The most messages on lease from a queue with `max_leased`, because the others are taken ahead. */
  atOnce?: number | undefined;
}

export interface TakeResult {
  runs: Run[];
  /** Whether there may be more within the limit: others have their turn first. */
  isPart: boolean;
  /** Whether messages wait of which no more may be leased: there are as many as `max_leased`, or `atOnce` is 0. */
  isLimited: boolean;
  /** Whether the queue is closed, and nothing in it is waiting or delayed. */
  drained: boolean;
  /** Whether nothing in the queue is unfinished, be it open, closed or not there. */
  finished: boolean;
}

/** Messages of one queue that an owner has reserved. */
export interface Reservation {
  owner: string;
  queue: string;
  ids: readonly Range[];
  leases: readonly string[];
}

/** The owner that has leases reserved; undefined: nobody. */
export interface Binding {
  owner: string | undefined;
}

/** The end of a hold. */
export type Outcome = 'done' | 'returned';
