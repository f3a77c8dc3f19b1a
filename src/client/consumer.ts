import { now } from '../clock.ts';
import { MqError } from '../errors.ts';
import { Fifo } from '../fifo.ts';
import { Reader } from '../protocol/reader.ts';
import type { Request } from '../protocol/requests.ts';
import { TEXTS } from '../texts.ts';
import { Connector } from './connect.ts';
import { type Connection, isLoss } from './connection.ts';
import type { Caller } from './find-daemon.ts';
import { type Ack, acknowledge, bytesOf, type Held, readRuns, sizeOf } from './held.ts';

/** Bytes. An answer as large as this is not likely to have brought all that waits: the next is asked for at once. */
const MANY = 32 * 1024;

/** Gets that are under way ahead: the answer to one is on its way while the daemon makes the next. */
const AHEAD = 2;

/**
 * Takes messages, and acknowledges those that are consumed. When the daemon dies, what was held is
 * waiting again; acknowledgements that had no answer go to the next daemon before anything is taken from it.
 *
 * With a lease, messages are leased: those that are acknowledged stay on lease for its time, and the
 * others are back when the consumer ends.
 */
export class Consumer {
  readonly #queues: string[];
  /** Milliseconds; undefined: messages are taken for good. */
  readonly #lease: number | undefined;
  readonly #connector: Connector;
  #connection: Connection;
  /** The connection to the next daemon, from the moment on when one died. */
  #next: Promise<Connection> | undefined;
  /** Acknowledgements that were sent, with a get or by themselves, and not answered. */
  #unanswered: Ack[] = [];
  /** The acknowledgement that goes out with the next get. */
  #unsent: Ack | undefined;
  #error: unknown;
  /** Gets for what comes next, each with the number of its messages. They are under way while others are written. */
  readonly #ahead = new Fifo<{ count: number; held: Promise<Held[] | undefined> }>();
  #ending = false;
  #hasFinished = false;
  /** The get that is under way waits. */
  #waiting = false;
  /** An acknowledgement had no answer because the connection ended. */
  #lost = false;
  /** Fulfilled when all acknowledgements are answered. */
  #answers: Promise<void> = Promise.resolve();
  /** Fulfilled when all but the last are. */
  #answersBefore: Promise<void> = Promise.resolve();
  #isStopped = false;
  #onStopped: () => void = () => {};

  /** @param lease milliseconds of a lease; without, messages are taken for good */
  static async open(caller: Caller, queues: string[], lease?: number): Promise<Consumer> {
    const connector = new Connector(caller, true);
    return new Consumer(connector, await connector.connect(), queues, lease);
  }

  private constructor(
    connector: Connector,
    connection: Connection,
    queues: string[],
    lease: number | undefined,
  ) {
    this.#queues = queues;
    this.#lease = lease;
    this.#connector = connector;
    this.#connection = connection;
    this.#keep(connection);
  }

  /**
   * The next messages, at most `count`.
   * @param deadline the time to give up, on the clock of now(); Infinity: never
   * @param wanted the number of messages that will be wanted in all, so that the next can be asked for already
   * @returns undefined when none came in time
   * @throws MqError CLOSED, STOPPED, INTERRUPTED, ...
   */
  async take(deadline: number, count: number, wanted: number): Promise<Held[] | undefined> {
    for (;;) {
      if (this.#ending) throw new MqError('INTERRUPTED', 'interrupted');
      try {
        // One window at most is consumed and not recorded: the disk may be full.
        await this.#answersBefore;
        if (this.#error) throw this.#error;
        const early = await this.#takeAhead();
        const held = early ?? (await this.#get(deadline, Math.min(count, wanted)));
        const left = wanted - sizeOf(held ?? []);
        if (held && bytesOf(held) >= MANY) this.#askAhead(count, left);
        return held;
      } catch (error) {
        if (!isLoss(error) || this.#ending) throw error;
        await this.#resume();
      }
    }
  }

  /** The number of waiting messages of each queue; 0 where there is no such queue. */
  async sizes(): Promise<number[]> {
    for (;;) {
      try {
        return await Promise.all(this.#queues.map((queue) => this.#size(queue)));
      } catch (error) {
        if (!isLoss(error)) throw error;
        await this.#resume();
      }
    }
  }

  /** The first `count` of these messages are consumed. An error is thrown by the next `take` or `finish`. */
  done(held: Held[], count: number): void {
    if (count === 0) return;
    // No get took it along: there was one ahead.
    this.#sendAck();
    this.#unsent = acknowledge(held, count);
    if (this.#lease !== undefined) this.#sendAck();
  }

  /** Waits until all acknowledgements are answered; gives back what is held otherwise. */
  async finish(): Promise<void> {
    this.#sendAck();
    // An acknowledgement that went with a get is answered with it.
    await Promise.allSettled([...this.#ahead].map(({ held }) => held));
    while (this.#unanswered.length > 0 && !this.#error) {
      const answered = this.#answers;
      await answered;
      if (this.#lost) await this.#resume();
    }
    this.#hasFinished = true;
    this.#connection.destroy();
    if (this.#error) throw this.#error;
  }

  /** Ends a wait for messages. */
  interrupt(): void {
    this.#ending = true;
    // The wait ends with the connection, and its answer also tells what became of the acknowledgements.
    if (this.#waiting) this.#connection.finish();
  }

  /** Called when the daemon was stopped. */
  set onStopped(call: () => void) {
    this.#onStopped = call;
  }

  /** The next answer to a get ahead; undefined when none brought anything. */
  async #takeAhead(): Promise<Held[] | undefined> {
    for (;;) {
      const next = this.#ahead.shift();
      if (next === undefined) return undefined;
      const held = await next.held;
      if (held) return held;
    }
  }

  #askAhead(count: number, wanted: number): void {
    let left = wanted;
    for (const asked of this.#ahead) left -= asked.count;
    while (this.#ahead.length < AHEAD && left > 0) {
      const next = { count: Math.min(count, left), held: this.#get(0, Math.min(count, left)) };
      // A later `take` awaits it.
      next.held.catch(() => {});
      this.#ahead.push(next);
      left -= next.count;
    }
  }

  async #get(deadline: number, count: number): Promise<Held[] | undefined> {
    const timeout = Math.max(0, Math.ceil(deadline - now())) || 0;
    if (this.#ending) throw new MqError('INTERRUPTED', 'interrupted');
    const ack = this.#unsent;
    this.#unsent = undefined;
    if (ack) this.#unanswered.push(ack);
    this.#waiting = timeout > 0;
    try {
      const { limit } = this.#connector;
      const request: Request = {
        verb: 'GET',
        queues: this.#queues,
        timeout,
        count,
        hold: true,
        lease: this.#lease,
        packed: true,
        done: ack,
      };
      const frame = await this.#connection.request(request, { limit });
      this.#answered(ack);
      return readRuns(new Reader(frame), this.#queues);
    } catch (error) {
      // Only the get failed: the acknowledgement is recorded.
      if (error instanceof MqError && (error.code === 'CLOSED' || error.code === 'INTERRUPTED'))
        this.#answered(ack);
      else if (isLoss(error)) this.#lost = true;
      else if (ack) this.#request(ack);
      throw error;
    } finally {
      this.#waiting = false;
    }
  }

  #answered(ack: Ack | undefined): void {
    this.#unanswered = this.#unanswered.filter((each) => each !== ack);
  }

  async #size(queue: string): Promise<number> {
    try {
      return Number(await this.#connection.ask({ verb: 'SIZE', queue }));
    } catch (error) {
      if (error instanceof MqError && error.code === 'NOQUEUE') return 0;
      throw error;
    }
  }

  /** Sends the acknowledgement by itself. */
  #sendAck(): void {
    const ack = this.#unsent;
    if (ack === undefined) return;
    this.#unsent = undefined;
    this.#unanswered.push(ack);
    this.#answersBefore = this.#answers;
    this.#request(ack);
  }

  #request(ack: Ack): void {
    this.#answers = this.#connection.request(this.#requestOf(ack), { limit: this.#connector.limit }).then(
      () => this.#answered(ack),
      (error) => {
        if (isLoss(error)) this.#lost = true;
        else if (error instanceof MqError && (error.code === 'UNREACHABLE' || error.code === 'STOPPED'))
          this.#error ??= notKnown(error);
        // A lease that has run out was printed all the same: `mq done` of it will fail.
        else if (!(error instanceof MqError && error.code === 'NOLEASE')) this.#error ??= error;
        else this.#answered(ack);
      },
    );
  }

  #requestOf({ queue, ids, leases }: Ack): Request {
    if (this.#lease === undefined) return { verb: 'DONE', queue, ids, leases: [] };
    return { verb: 'EXTEND', queue, leases, duration: this.#lease, binding: 'free' };
  }

  async #resume(): Promise<void> {
    this.#ahead.clear();
    this.#lost = false;
    const next = this.#next ?? this.#connect();
    this.#next = undefined;
    try {
      this.#connection = await next;
    } catch (error) {
      // Nobody is left who could answer, so the error is for good.
      this.#error ??= this.#unanswered.length > 0 && error instanceof MqError ? notKnown(error) : error;
      throw this.#error;
    }
    for (const ack of this.#unanswered) this.#request(ack);
  }

  async #connect(): Promise<Connection> {
    const connection = await this.#connector.connect();
    this.#keep(connection);
    return connection;
  }

  /**
   * Connects to the next daemon as soon as one dies: where that cannot see this process, it keeps what was held
   * here for 15 s only. Acknowledgements go there when something is asked (`#resume`); that it is stopped is
   * heard at once.
   */
  #keep(connection: Connection): void {
    connection.onStopped = () => {
      this.#isStopped = true;
      this.#onStopped();
    };
    void connection.closed.then((end) => {
      if (this.#hasFinished || this.#ending || this.#isStopped || !isLoss(end)) return;
      this.#next = this.#connect();
      // `#resume` reports the error.
      this.#next.catch(() => {});
    });
  }
}

/** The error when messages that were written may not have been acknowledged. */
function notKnown(cause: MqError): MqError {
  const { message, advice } = cause;
  return new MqError('UNKNOWN', `${message}: ${TEXTS.mayComeAgain}`, { cause, advice });
}
