import { MqError } from '../errors.ts';
import { type Packed, unpack } from '../packed.ts';
import { Reader } from '../protocol/reader.ts';
import type { Request } from '../protocol/requests.ts';
import { after, type Timer } from '../timer.ts';
import type { Until } from '../until.ts';
import { type Connection, isLoss } from './connection.ts';
import type { Caller } from './find-daemon.ts';
import { readRuns } from './held.ts';
import { Line } from './line.ts';

/** Milliseconds after a suspension of the machine within which leases are extended; the daemon's grace is longer. */
const LOOK_EVERY = 1000;

/** A message on lease. */
export interface Lease {
  token: string;
  /** The queue of the message. */
  queue: string;
  id: number;
  /** Of a dead letter: the queue that gave it up. */
  origin: string | undefined;
  /** The number of this attempt, from 1. */
  attempt: number;
  body: Buffer;
}

/** The result of settling a lease, which may have run out before. */
export type Settled = 'settled' | 'given up' | 'lost';

export interface LeaserOptions {
  /** Queues in the order in which they are looked at, each once. */
  queues: string[];
  /** Milliseconds. */
  duration: number;
  until: Until;
}

/**
 * Takes messages on lease, extends the leases until they are settled, and settles them. Leases end with the
 * process. When the daemon dies, the next one is told of them before anything else.
 *
 * Each kind of request has a connection of its own, because nothing may wait behind it.
 */
export class Leaser {
  readonly #options: LeaserOptions;
  /** Gets that wait; leases end with this connection. */
  readonly #take: Line;
  /** Requests that are answered at once. */
  readonly #settle: Line;
  /** Puts that wait for room. */
  readonly #put: Line;
  /** Leases that are not settled, by their tokens. */
  readonly #leases = new Map<string, Lease>();
  /** Leases that are done, which the daemon has not been told. */
  readonly #done: Lease[] = [];
  #telling: Promise<Map<string, Settled>> | undefined;
  #timer: Timer;
  /** Rejected when nothing more is to be taken. */
  readonly #noMore = Promise.withResolvers<never>();
  #hasStoppedTaking = false;
  /** Queues that were paused since the last get was sent: what it still brings of them was taken before. */
  readonly #paused = new Set<string>();
  #hasEnded = false;
  /** Called when a queue is paused: messages of it that are not begun are to go back. */
  onPaused: (queue: string) => void = () => {};
  /** Waited for before leases are extended: those of a worker that hangs run out. */
  beforeExtending: () => Promise<void> = async () => {};
  /** Receives errors of background work. */
  onError: (error: unknown) => void = () => {};

  static async open(caller: Caller, options: LeaserOptions): Promise<Leaser> {
    const take = await Line.open(caller, true);
    return new Leaser(options, take, await Line.open(caller), await Line.open(caller));
  }

  private constructor(options: LeaserOptions, take: Line, settle: Line, put: Line) {
    this.#options = options;
    this.#take = take;
    this.#settle = settle;
    this.#put = put;
    take.onReopened = (connection) => this.#claim(connection);
    take.onPaused = (queue) => {
      this.#paused.add(queue);
      this.onPaused(queue);
    };
    // There may be no `take` to reject.
    this.#noMore.promise.catch(() => {});
    this.#timer = this.#extendLater();
  }

  /** Called when the daemon was stopped; for a moment it still takes requests. */
  set onStopped(call: () => void) {
    for (const line of [this.#take, this.#settle]) line.onStopped = call;
  }

  /**
   * The next messages, at most `count`.
   * @param ahead how many of these no work can begin with; queues with `max_leased` do not give them
   * @returns none when those are not to be had, or were of a queue that was paused; undefined when there is nothing to
   *   wait for any more
   * @throws MqError STOPPED, UNREACHABLE, ...; INTERRUPTED after `stopTaking`
   */
  async take(count: number, ahead: number): Promise<Lease[] | undefined> {
    const { queues, duration: lease, until } = this.#options;
    const request: Request = {
      verb: 'GET',
      queues,
      timeout: Infinity,
      count,
      hold: true,
      lease,
      ahead: ahead > 0 ? ahead : undefined,
      packed: true,
      origin: true,
      until,
    };
    this.#paused.clear();
    const taking = this.#take.request(request).then((frame) => this.#taken(frame));
    try {
      return await Promise.race([taking, this.#noMore.promise]);
    } catch (error) {
      if (error instanceof MqError && error.code === 'CLOSED') return undefined;
      throw error;
    }
  }

  /**
   * Takes nothing more; leases stay. A get that waits could be ended only together with its connection, and so with
   * the leases: it waits on, and messages that it still brings go back.
   * @param error the error of a take that waits
   */
  stopTaking(error: unknown = new MqError('INTERRUPTED', 'interrupted')): void {
    this.#hasStoppedTaking = true;
    this.#noMore.reject(error);
  }

  /** Ends the waits for room. */
  stopPutting(): void {
    this.#put.finish();
  }

  /** The message is done. Leases that are done at one time go to the daemon in one request. */
  async done(lease: Lease): Promise<Settled> {
    this.#done.push(lease);
    this.#telling ??= Promise.resolve().then(() => {
      this.#telling = undefined;
      return this.#settleDone(this.#done.splice(0));
    });
    return (await this.#telling).get(lease.token) as Settled;
  }

  /**
   * The message is done and its outputs are put, both or neither; waits for room.
   * @throws MqError CLOSED
   */
  doneInto(lease: Lease, queue: string, messages: Packed): Promise<Settled> {
    const done = { queue: lease.queue, lease: lease.token };
    const request: Request = { verb: 'PUT', queue, messages, priority: 0, timeout: Infinity, done };
    return this.#settleOne(this.#put, lease, request);
  }

  fail(lease: Lease): Promise<Settled> {
    const { queue, token } = lease;
    return this.#settleOne(this.#settle, lease, { verb: 'FAIL', queue, leases: [token], delay: undefined });
  }

  async giveBack(lease: Lease): Promise<void> {
    const { queue, token } = lease;
    await this.#settleOne(this.#settle, lease, { verb: 'RETURN', queue, leases: [token] });
  }

  /** The number of unfinished messages in the queues. */
  async unfinished(): Promise<number> {
    const counts = await Promise.all(this.#options.queues.map((queue) => this.#unfinishedIn(queue)));
    return counts.reduce((sum, count) => sum + count);
  }

  /** The longest message that the daemon takes, in bytes. */
  get maxMessage(): number {
    return Number(this.#settle.greeting.get('max_message'));
  }

  /** Ends; messages that are not settled go back. */
  end(): void {
    this.#hasEnded = true;
    this.#timer.clear();
    for (const line of [this.#take, this.#settle, this.#put]) line.destroy();
  }

  async #settleDone(leases: Lease[]): Promise<Map<string, Settled>> {
    const queues = Map.groupBy(leases, ({ queue }) => queue);
    const settled = await Promise.all([...queues].map(([queue, some]) => this.#settleDoneIn(queue, some)));
    return new Map(settled.flat());
  }

  async #settleDoneIn(queue: string, leases: Lease[]): Promise<(readonly [string, Settled])[]> {
    const request = (some: Lease[]): Request => ({
      verb: 'DONE',
      queue,
      ids: [],
      leases: some.map(({ token }) => token),
    });
    try {
      await this.#settle.request(request(leases));
      for (const { token } of leases) this.#leases.delete(token);
      return leases.map(({ token }) => [token, 'settled'] as const);
    } catch (error) {
      if (!isGone(error)) throw error;
      // A lease that is gone kept the others from being settled.
      const settle = async (lease: Lease) =>
        [lease.token, await this.#settleOne(this.#settle, lease, request([lease]))] as const;
      return Promise.all(leases.map(settle));
    }
  }

  async #settleOne(line: Line, { token }: Lease, request: Request): Promise<Settled> {
    try {
      const answer = await line.ask(request);
      return request.verb === 'FAIL' && Number(answer) > 0 ? 'given up' : 'settled';
    } catch (error) {
      if (!isGone(error)) throw error;
      return 'lost';
    } finally {
      this.#leases.delete(token);
    }
  }

  #taken(frame: Buffer): Lease[] | undefined {
    return this.#read(frame)?.filter((lease) => {
      this.#leases.set(lease.token, lease);
      if (!this.#hasStoppedTaking && !this.#paused.has(lease.queue)) return true;
      this.giveBack(lease).catch((error) => this.onError(error));
      return false;
    });
  }

  #read(frame: Buffer): Lease[] | undefined {
    const { queues } = this.#options;
    return readRuns(new Reader(frame), { queues, origin: true })?.flatMap(
      ({ queue, id, step, attempt, messages, leases, origin }) =>
        unpack(messages).map((body, i) => {
          const token = leases?.tokens[i] as string;
          return { token, queue, id: id + i * step, origin: origin?.queue, attempt, body };
        }),
    );
  }

  async #unfinishedIn(queue: string): Promise<number> {
    try {
      const state = (await this.#settle.ask({ verb: 'STAT', queue })) as Map<string, number>;
      return ['waiting', 'delayed', 'leased'].reduce((sum, key) => sum + (state.get(key) ?? 0), 0);
    } catch (error) {
      if (error instanceof MqError && error.code === 'NOQUEUE') return 0;
      throw error;
    }
  }

  /** Binds the leases to this connection. */
  #claim(connection: Connection): void {
    for (const lease of this.#leases.values())
      connection.request({ ...this.#extension(lease), binding: 'hold' }).catch((error) => {
        // After a further loss, leases are claimed again.
        if (!isLoss(error) && !isGone(error)) this.onError(error);
      });
  }

  #extendLater(): Timer {
    // A third of the time, for two chances before they run out.
    return after(Math.max(1, this.#options.duration / 3), () => this.#extendNow(), LOOK_EVERY);
  }

  async #extendNow(): Promise<void> {
    try {
      await this.beforeExtending();
      await this.#extend();
      if (!this.#hasEnded) this.#timer = this.#extendLater();
    } catch (error) {
      this.onError(error);
    }
  }

  async #extend(): Promise<void> {
    const extend = async (lease: Lease) => {
      try {
        await this.#settle.request(this.#extension(lease));
      } catch (error) {
        // A lease that is gone is noticed when it is settled.
        if (!isGone(error)) throw error;
      }
    };
    await Promise.all([...this.#leases.values()].map(extend));
  }

  #extension({ queue, token }: Lease): Extract<Request, { verb: 'EXTEND' }> {
    return { verb: 'EXTEND', queue, leases: [token], duration: this.#options.duration };
  }
}

function isGone(error: unknown): boolean {
  return error instanceof MqError && (error.code === 'NOLEASE' || error.code === 'NOQUEUE');
}
