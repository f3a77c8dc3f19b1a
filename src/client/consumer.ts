import { now } from '../clock.ts';
import { MqError } from '../errors.ts';
import { Fifo } from '../fifo.ts';
import { Reader } from '../protocol/reader.ts';
import type { Request } from '../protocol/requests.ts';
import { TEXTS } from '../texts.ts';
import { type Connection, isLoss } from './connection.ts';
import type { Caller } from './find-daemon.ts';
import { type Ack, acknowledge, bytesOf, type Held, readRuns, sizeOf } from './held.ts';
import { Line } from './line.ts';

/** Bytes. An answer as large as this is not likely to have brought all that waits: the next is asked for at once. */
const MANY = 32 * 1024;

/** Gets that are under way ahead: the answer to one is on its way while the daemon makes the next. */
const AHEAD = 2;

export interface Wanted {
  queues: string[];
  /** Milliseconds of a lease; undefined: messages are taken for good. */
  lease?: number | undefined;
  /** The message with this id only. */
  id?: number | undefined;
  /** Whether the origins of dead letters are to be told. */
  origin?: boolean;
}

/**
 * Takes messages, and acknowledges those that are consumed. When the daemon dies, messages that are held stay this
 * process's own until it asks the next daemon for more, so all that are consumed are acknowledged before that.
 *
 * With a lease, messages are leased: those that are acknowledged stay on lease for its time, and the
 * others are back when the consumer ends.
 */
export class Consumer {
  readonly #line: Line;
  readonly #wanted: Wanted;
  /**
   * The connection over which messages come. Gets ahead go over this one only: at the next daemon they would give
   * back messages that are being written.
   */
  #connection: Connection;
  /** Gets for what comes next, each with the number of its messages. They are under way while others are written. */
  readonly #ahead = new Fifo<{ count: number; held: Promise<Held[] | undefined> }>();
  /** The acknowledgement that goes out with the next get. */
  #unsent: Ack | undefined;
  /** Fulfilled when all acknowledgements that were sent by themselves are answered, and when all but the last are. */
  #acked: Promise<void> = Promise.resolve();
  #ackedBefore: Promise<void> = Promise.resolve();
  /** The reason why messages are not acknowledged. */
  #error: unknown;
  /** The get that is under way waits. */
  #waiting = false;
  #ending = false;

  static async open(caller: Caller, wanted: Wanted): Promise<Consumer> {
    return new Consumer(await Line.open(caller, true), wanted);
  }

  private constructor(line: Line, wanted: Wanted) {
    this.#line = line;
    this.#connection = line.connection;
    this.#wanted = wanted;
  }

  /** Called when the daemon was stopped. */
  set onStopped(call: () => void) {
    this.#line.onStopped = call;
  }

  /**
   * The next messages, at most `count`.
   * @param deadline the time to give up, on the clock of now(); Infinity: never
   * @param wanted the number of messages that will be wanted in all, so that the next can be asked for already
   * @returns undefined when none came in time
   * @throws MqError CLOSED, STOPPED, INTERRUPTED, ...
   */
  async take(deadline: number, count: number, wanted: number): Promise<Held[] | undefined> {
    if (this.#ending) throw interrupted();
    // One window at most is consumed and not recorded: the disk may be full.
    await this.#ackedBefore;
    if (this.#error) throw this.#error;
    try {
      const held = (await this.#takeAhead()) ?? (await this.#get(deadline, Math.min(count, wanted)));
      if (held && bytesOf(held) >= MANY) this.#askAhead(count, wanted - sizeOf(held));
      return held;
    } catch (error) {
      // An error that leaves open what was consumed says more.
      throw isUnknown(this.#error) ? this.#error : error;
    }
  }

  /** The number of waiting messages of each queue; 0 where there is no such queue. */
  sizes(): Promise<number[]> {
    return Promise.all(this.#wanted.queues.map((queue) => this.#size(queue)));
  }

  /** The first `count` of these messages are consumed. An error is thrown by the next `take` or `finish`. */
  done(held: Held[], count: number): void {
    if (count === 0) return;
    // No get took it along: there was one ahead.
    this.#sendUnsent();
    this.#unsent = acknowledge(held, count);
    if (this.#wanted.lease !== undefined) this.#sendUnsent();
  }

  /** Waits until all acknowledgements are answered; gives back what is held otherwise. */
  async finish(): Promise<void> {
    this.#sendUnsent();
    // An acknowledgement that went with a get is answered with it.
    await Promise.allSettled([...this.#ahead].map(({ held }) => held));
    await this.#acked;
    this.#line.destroy();
    if (this.#error) throw this.#error;
  }

  /** Ends a wait for messages. */
  interrupt(): void {
    this.#ending = true;
    // The wait ends with the connection, and its answer also tells what became of the acknowledgement.
    if (this.#waiting) this.#line.finish();
  }

  /** The next answer to a get ahead; undefined when none brought anything. */
  async #takeAhead(): Promise<Held[] | undefined> {
    for (let next = this.#ahead.shift(); next !== undefined; next = this.#ahead.shift()) {
      const held = await next.held;
      if (held) return held;
    }
    return undefined;
  }

  #askAhead(count: number, wanted: number): void {
    let left = wanted;
    for (const asked of this.#ahead) left -= asked.count;
    while (this.#ahead.length < AHEAD && left > 0) {
      const next = { count: Math.min(count, left), held: this.#getAhead(Math.min(count, left)) };
      // A later `take` awaits it.
      next.held.catch(() => {});
      this.#ahead.push(next);
      left -= next.count;
    }
  }

  /** Asks for messages that are there. A daemon that dies has brought none. */
  async #getAhead(count: number): Promise<Held[] | undefined> {
    const ack = this.#takeUnsent();
    try {
      const request = this.#requestFor(count, 0, ack);
      return this.#read(await this.#connection.request(request, { limit: this.#line.limit }));
    } catch (error) {
      const acked = this.#ackAfter(error, ack);
      if (isLoss(error)) return undefined;
      await acked;
      throw error;
    }
  }

  async #get(deadline: number, count: number): Promise<Held[] | undefined> {
    if (this.#ending) throw interrupted();
    const ack = this.#takeUnsent();
    const question = () => {
      const timeout = this.#ending ? 0 : Math.max(0, Math.ceil(deadline - now()));
      return this.#requestFor(count, timeout, ack);
    };
    this.#waiting = deadline > now();
    try {
      const frame = await this.#line.request(question);
      this.#connection = this.#line.connection;
      return this.#read(frame);
    } catch (error) {
      await this.#ackAfter(error, ack);
      throw error;
    } finally {
      this.#waiting = false;
    }
  }

  #requestFor(count: number, timeout: number, done: Ack | undefined): Request {
    return { verb: 'GET', ...this.#wanted, timeout, count, hold: true, packed: true, done };
  }

  #read(frame: Buffer): Held[] | undefined {
    return readRuns(new Reader(frame), this.#wanted);
  }

  async #size(queue: string): Promise<number> {
    try {
      return Number(await this.#line.ask({ verb: 'SIZE', queue }));
    } catch (error) {
      if (error instanceof MqError && error.code === 'NOQUEUE') return 0;
      throw error;
    }
  }

  #takeUnsent(): Ack | undefined {
    const ack = this.#unsent;
    this.#unsent = undefined;
    return ack;
  }

  #sendUnsent(): void {
    const ack = this.#takeUnsent();
    if (ack === undefined) return;
    this.#ackedBefore = this.#acked;
    void this.#send(ack);
  }

  /** Sends the acknowledgement by itself, after a get with it that has failed. */
  async #ackAfter(error: unknown, ack: Ack | undefined): Promise<void> {
    // Only the get failed: the acknowledgement is recorded.
    if (error instanceof MqError && (error.code === 'CLOSED' || error.code === 'INTERRUPTED')) return;
    if (ack) await this.#send(ack);
  }

  #send(ack: Ack): Promise<void> {
    this.#acked = this.#line.request(this.#requestOf(ack), { unknown: TEXTS.mayComeAgain }).then(
      () => {},
      (error) => {
        // A lease that has run out was printed all the same: `mq done` of it will fail.
        if (!(error instanceof MqError && error.code === 'NOLEASE')) this.#error ??= error;
      },
    );
    return this.#acked;
  }

  #requestOf({ queue, ids, leases }: Ack): Request {
    const { lease } = this.#wanted;
    if (lease === undefined) return { verb: 'DONE', queue, ids, leases: [] };
    return { verb: 'EXTEND', queue, leases, duration: lease, binding: 'free' };
  }
}

function interrupted(): MqError {
  return new MqError('INTERRUPTED', 'interrupted');
}

function isUnknown(error: unknown): boolean {
  return error instanceof MqError && error.code === 'UNKNOWN';
}
