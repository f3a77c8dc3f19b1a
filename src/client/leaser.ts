import { MqError } from '../errors.ts';
import { type Packed, unpack } from '../packed.ts';
import type { Request, Until } from '../protocol/requests.ts';
import { Reader } from '../protocol/values.ts';
import { after, type Timer } from '../timer.ts';
import { type Connection, isLoss } from './connection.ts';
import type { Caller } from './find-daemon.ts';
import { readRuns } from './held.ts';
import { Line } from './line.ts';

/** After a suspension of the machine leases are extended so soon, in ms: the daemon waits a little longer for that. */
const LOOK_EVERY = 1000;

/** A message on lease. */
export interface Lease {
  token: string;
  /** The queue that it is from. */
  queue: string;
  /** Which attempt this is, from 1. */
  attempt: number;
  body: Buffer;
}

/** What has become of a lease that was to be settled: it may have run out before. */
export type Settled = 'settled' | 'given up' | 'lost';

export interface LeaserOptions {
  /** In the order in which they are looked at; each once. */
  queues: string[];
  /** In ms. */
  duration: number;
  until: Until;
}

/**
 * Takes messages on lease, keeps the leases for as long as they are wanted, and settles them. They end
 * with the process. When the daemon dies, the next one is told of them before anything else.
 */
export class Leaser {
  readonly #options: LeaserOptions;
  /** Each kind of request has a line of its own, since nothing else may wait behind it: gets that wait; the leases end with its connection, */
  readonly #take: Line;
  /** requests that are answered at once, */
  readonly #settle: Line;
  /** and puts that wait for room. */
  readonly #put: Line;
  /** Taken and not settled, by their tokens. */
  readonly #leases = new Map<string, Lease>();
  /** Done, and not told. */
  readonly #done: Lease[] = [];
  #telling: Promise<Map<string, Settled>> | undefined;
  #timer: Timer;
  /** Rejected when nothing more is to be taken. */
  readonly #noMore = Promise.withResolvers<never>();
  #hasStoppedTaking = false;
  #hasEnded = false;
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
    // Nobody may be taking then.
    this.#noMore.promise.catch(() => {});
    this.#timer = this.#extendLater();
  }

  /** Called when the daemon was stopped; it still takes a last word for a moment. */
  set onStopped(call: () => void) {
    for (const line of [this.#take, this.#settle]) line.onStopped = call;
  }

  /**
   * The next messages, at most `count`.
   * @returns undefined when there is nothing to wait for any more
   * @throws MqError STOPPED, UNREACHABLE, ...; INTERRUPTED after `stopTaking`
   */
  async take(count: number): Promise<Lease[] | undefined> {
    const { queues, duration: lease, until } = this.#options;
    const request: Request = {
      verb: 'GET',
      queues,
      timeout: Infinity,
      count,
      hold: true,
      lease,
      packed: true,
      until,
    };
    const taking = this.#take.request(request).then((frame) => this.#taken(frame));
    try {
      return await Promise.race([taking, this.#noMore.promise]);
    } catch (error) {
      if (error instanceof MqError && error.code === 'CLOSED') return undefined;
      throw error;
    }
  }

  /**
   * Takes nothing more; what was taken stays. The wait of a get ends with its connection only, and the leases
   * are not to end with that: it waits on, and what it still brings goes back.
   * @param error what a take that waits fails with
   */
  stopTaking(error: unknown = new MqError('INTERRUPTED', 'interrupted')): void {
    this.#hasStoppedTaking = true;
    this.#noMore.reject(error);
  }

  /** Waits for no room any more. */
  stopPutting(): void {
    this.#put.finish();
  }

  /** Leases that are said to be done at one time are told to the daemon in one request. */
  async done(lease: Lease): Promise<Settled> {
    this.#done.push(lease);
    this.#telling ??= Promise.resolve().then(() => {
      this.#telling = undefined;
      return this.#settleDone(this.#done.splice(0));
    });
    return (await this.#telling).get(lease.token) as Settled;
  }

  /**
   * The message is done, and these are put, both or neither; waits for room.
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

  /** How many messages of the queues are unfinished. */
  async unfinished(): Promise<number> {
    const counts = await Promise.all(this.#options.queues.map((queue) => this.#unfinishedIn(queue)));
    return counts.reduce((sum, count) => sum + count);
  }

  /** The longest message that the daemon takes, in bytes. */
  get maxMessage(): number {
    return Number(this.#settle.greeting.get('max_message'));
  }

  /** What was not settled is back. */
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
      // One that is gone kept the others from being settled.
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
    const leases = this.#read(frame);
    for (const lease of leases ?? []) {
      this.#leases.set(lease.token, lease);
      if (this.#hasStoppedTaking) this.giveBack(lease).catch((error) => this.onError(error));
    }
    return leases;
  }

  #read(frame: Buffer): Lease[] | undefined {
    return readRuns(new Reader(frame), this.#options.queues)?.flatMap(
      ({ queue, attempt, messages, leases }) =>
        unpack(messages).map((body, i) => ({ token: leases?.tokens[i] as string, queue, attempt, body })),
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

  /** The leases are bound to this connection from now on. */
  #claim(connection: Connection): void {
    for (const lease of this.#leases.values())
      connection.request({ ...this.#extension(lease), binding: 'hold' }).catch((error) => {
        // After a further loss they are claimed again.
        if (!isLoss(error) && !isGone(error)) this.onError(error);
      });
  }

  #extendLater(): Timer {
    // Two chances before they run out.
    return after(Math.max(1, this.#options.duration / 3), () => this.#extendNow(), LOOK_EVERY);
  }

  async #extendNow(): Promise<void> {
    try {
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
        // A lease that is no more is noticed when it is to be settled.
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
