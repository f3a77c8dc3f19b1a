import { MqError } from '../errors.ts';
import { type Packed, unpack } from '../packed.ts';
import type { Places } from '../paths.ts';
import type { Request, Until } from '../protocol/requests.ts';
import { Reader, type Value } from '../protocol/values.ts';
import { connector, connectToDaemon } from './connect.ts';
import type { Connection } from './connection.ts';
import { readRun } from './consumer.ts';
import { isLoss } from './producer.ts';

/** A message on lease. */
export interface Lease {
  token: string;
  /** Which attempt this is, from 1. */
  attempt: number;
  body: Buffer;
}

/** What has become of a lease that was to be settled: it may have run out before. */
export type Settled = 'settled' | 'given up' | 'lost';

/** The connections, by what waits on them: nothing else may wait behind it. */
interface Lines {
  /** Gets wait here, and the leases end with it. */
  take: Connection;
  /** What is answered at once. */
  settle: Connection;
  /** Puts wait here. */
  put: Connection;
}

export interface LeaserOptions {
  queue: string;
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
  readonly #connect: (holds: boolean) => Promise<Connection>;
  #lines: Promise<Lines>;
  /** Those that were taken and not settled. */
  readonly #leases = new Set<string>();
  /** Done, and not told. */
  readonly #done: string[] = [];
  #telling: Promise<Map<string, Settled>> | undefined;
  readonly #timer: NodeJS.Timeout;
  #hasStoppedTaking = false;
  #onStopped: () => void = () => {};
  /** Told of what goes wrong while nobody waits for an answer. */
  onError: (error: unknown) => void = () => {};

  static async open(places: Places, start: boolean, options: LeaserOptions): Promise<Leaser> {
    const connect = connector(places, start, true);
    const leaser = new Leaser(options, (holds) => (holds ? connect() : connectToDaemon(places, start)));
    await leaser.#lines;
    return leaser;
  }

  private constructor(options: LeaserOptions, connect: (holds: boolean) => Promise<Connection>) {
    this.#options = options;
    this.#connect = connect;
    this.#lines = this.#open();
    // Two chances before they run out.
    this.#timer = setInterval(() => void this.#extend(), Math.max(1, options.duration / 3));
  }

  /** Called when the daemon was stopped; it still takes a last word for a moment. */
  set onStopped(call: () => void) {
    this.#onStopped = call;
  }

  /**
   * The next messages, at most `count`.
   * @returns undefined when there is nothing to wait for any more
   * @throws MqError STOPPED, UNREACHABLE, ...; INTERRUPTED after `stopTaking`
   */
  async take(count: number): Promise<Lease[] | undefined> {
    const { queue, duration: lease, until } = this.#options;
    const request: Request = {
      verb: 'GET',
      queues: [queue],
      timeout: Infinity,
      count,
      hold: true,
      lease,
      packed: true,
      until,
    };
    try {
      const taken = await this.#ask('take', request, (frame) => this.#read(new Reader(frame)));
      for (const { token } of taken ?? []) this.#leases.add(token);
      return taken;
    } catch (error) {
      if (error instanceof MqError && error.code === 'CLOSED') return undefined;
      throw error;
    }
  }

  /** Takes nothing more; what was taken stays. */
  async stopTaking(): Promise<void> {
    if (this.#hasStoppedTaking) return;
    this.#hasStoppedTaking = true;
    const { take, settle } = await this.#lines;
    // A get that waits ends with its connection, and the leases are not to end with that.
    await this.#claim(settle);
    take.finish();
    this.#lines = this.#lines.then((lines) => ({ ...lines, take: settle }));
  }

  /** Waits for no room any more. */
  async stopPutting(): Promise<void> {
    (await this.#lines).put.finish();
  }

  /** Those that are said to be done at one time are told to the daemon in one request. */
  async done({ token }: Lease): Promise<Settled> {
    this.#done.push(token);
    this.#telling ??= Promise.resolve().then(() => {
      this.#telling = undefined;
      return this.#settleDone(this.#done.splice(0));
    });
    return (await this.#telling).get(token) as Settled;
  }

  /**
   * The message is done, and these are put, both or neither; waits for room.
   * @throws MqError CLOSED
   */
  doneInto({ token }: Lease, queue: string, messages: Packed): Promise<Settled> {
    const done = { queue: this.#options.queue, lease: token };
    return this.#settle(token, { verb: 'PUT', queue, messages, priority: 0, timeout: Infinity, done });
  }

  fail({ token }: Lease): Promise<Settled> {
    const { queue } = this.#options;
    return this.#settle(token, { verb: 'FAIL', queue, leases: [token], delay: undefined });
  }

  async giveBack({ token }: Lease): Promise<void> {
    await this.#settle(token, { verb: 'RETURN', queue: this.#options.queue, leases: [token] });
  }

  /** How many messages of the queue are unfinished, or one of them is known of. */
  async unfinished(): Promise<number> {
    const state = (await this.#ask('settle', { verb: 'STAT', queue: this.#options.queue }, read)) as Map<
      string,
      number
    >;
    return ['waiting', 'delayed', 'leased'].reduce((sum, key) => sum + (state.get(key) ?? 0), 0);
  }

  /** The longest message that the daemon takes, in bytes. */
  async maxMessage(): Promise<number> {
    return Number((await (await this.#lines).settle.greeting).get('max_message'));
  }

  /** What was not settled is back. */
  end(): void {
    clearInterval(this.#timer);
    this.#lines.then(
      destroy,
      // Without connections there is nothing to end; whoever asked was told why.
      () => {},
    );
  }

  async #settleDone(leases: string[]): Promise<Map<string, Settled>> {
    const request = (leases: string[]): Request => ({
      verb: 'DONE',
      queue: this.#options.queue,
      ids: [],
      leases,
    });
    let isRepeated = false;
    try {
      await this.#ask('settle', request(leases), read, () => {
        isRepeated = true;
      });
      for (const lease of leases) this.#leases.delete(lease);
      return new Map(leases.map((lease) => [lease, 'settled']));
    } catch (error) {
      if (!isGone(error)) throw error;
      // One that is gone kept the others from being settled.
      const settle = async (lease: string) =>
        [lease, await this.#settle(lease, request([lease]), isRepeated)] as const;
      return new Map(await Promise.all(leases.map(settle)));
    }
  }

  async #settle(token: string, request: Request, isRepeated = false): Promise<Settled> {
    const line = request.verb === 'PUT' ? 'put' : 'settle';
    const isFailure = request.verb === 'FAIL';
    let mayBeDone = isRepeated;
    try {
      const answer = await this.#ask(line, request, read, () => {
        mayBeDone = true;
      });
      return isFailure && Number(answer) > 0 ? 'given up' : 'settled';
    } catch (error) {
      if (!isGone(error)) throw error;
      // A daemon that died may have done it before.
      return mayBeDone ? 'settled' : 'lost';
    } finally {
      this.#leases.delete(token);
    }
  }

  #read(reader: Reader): Lease[] | undefined {
    if (reader.type !== '*') return undefined;
    const runs = Array.from({ length: reader.number() }, () => readRun(reader, this.#options.queue));
    return runs.flatMap(({ attempt, messages, leases }) =>
      unpack(messages).map((body, i) => ({ token: leases?.tokens[i] as string, attempt, body })),
    );
  }

  /** Asks, and asks the next daemon when one dies. */
  async #ask<T>(
    line: keyof Lines,
    request: Request,
    read: (frame: Buffer) => T,
    repeated: () => void = () => {},
  ): Promise<T> {
    for (;;) {
      const opened = this.#lines;
      const lines = await opened;
      try {
        return read(await lines[line].request(request));
      } catch (error) {
        if (!isLoss(error) || (line === 'take' && this.#hasStoppedTaking)) throw error;
        repeated();
        if (this.#lines === opened) this.#lines = this.#reopen(lines);
      }
    }
  }

  async #reopen(lost: Lines): Promise<Lines> {
    const lines = await this.#open();
    destroy(lost);
    return lines;
  }

  async #open(): Promise<Lines> {
    for (;;) {
      try {
        const take = await this.#connect(true);
        take.onStopped = () => this.#onStopped();
        await this.#claim(take);
        if (this.#hasStoppedTaking) return { take, settle: take, put: await this.#connect(false) };
        return { take, settle: await this.#connect(false), put: await this.#connect(false) };
      } catch (error) {
        if (!isLoss(error)) throw error;
      }
    }
  }

  /** The leases are bound to this connection from now on. */
  async #claim(connection: Connection): Promise<void> {
    const { queue, duration } = this.#options;
    await Promise.all(
      [...this.#leases].map((token) =>
        ignoreGone(connection.request({ verb: 'EXTEND', queue, leases: [token], duration, binding: 'hold' })),
      ),
    );
  }

  async #extend(): Promise<void> {
    const { queue, duration } = this.#options;
    try {
      const { settle } = await this.#lines;
      const extend = (token: string) =>
        ignoreGone(settle.request({ verb: 'EXTEND', queue, leases: [token], duration }));
      await Promise.all([...this.#leases].map(extend));
    } catch (error) {
      // After a loss they are extended when they are claimed.
      if (!isLoss(error)) this.onError(error);
    }
  }
}

function destroy(lines: Lines): void {
  for (const connection of new Set(Object.values(lines) as Connection[])) connection.destroy();
}

function read(frame: Buffer): Value {
  return new Reader(frame).read();
}

/** A lease that is no more is noticed when it is to be settled. */
async function ignoreGone(answer: Promise<unknown>): Promise<void> {
  try {
    await answer;
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

function isGone(error: unknown): boolean {
  return error instanceof MqError && (error.code === 'NOLEASE' || error.code === 'NOQUEUE');
}
