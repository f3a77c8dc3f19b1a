import { MqError } from '../errors.ts';
import { TOKEN } from '../holder.ts';
import { Reader } from '../protocol/reader.ts';
import { READING, type Request, type Verb } from '../protocol/requests.ts';
import type { Value } from '../protocol/values.ts';
import { TEXTS } from '../texts.ts';
import { Connector } from './connect.ts';
import { type Connection, isLoss, type Stream } from './connection.ts';
import type { Caller } from './find-daemon.ts';

/** A request, or a function that makes it anew each time it is sent: its timeout gets shorter. */
export type Question = Request | (() => Request);

interface Terms {
  /** The text of UNKNOWN, for a request that leaves something open whoever has received it. */
  unknown?: string;
  /** Whether the connection is a stream of bytes from the answer OK on. */
  isUpgrade?: boolean;
}

const USUAL: Terms = {};

interface Pending {
  question: Question;
  terms: Terms;
  /** Its number among the requests of this line: see `Once` of mq-protocol(7). */
  seq: number;
  /** Whether a daemon may have received it. */
  isSent: boolean;
  /** Whether a daemon died without answering it, and may have done it. */
  isAgain: boolean;
  resolve: (frame: Buffer) => void;
  reject: (error: unknown) => void;
}

/** Requests that take effect once though they are sent again: the daemon remembers its answers to them. */
export const ONCE: ReadonlySet<Verb> = new Set<Verb>([
  'DONE',
  'FAIL',
  'RETURN',
  'MOVE',
  'RETRY',
  'DROP',
  'PURGE',
  'RM',
  'RENAME',
  'PAUSE',
  'RESUME',
]);

let lines = 0;

/**
 * A connection that survives the daemon: requests that had no answer when it died are sent to the next
 * one, in their order. Each takes effect once.
 */
export class Line {
  readonly #connector: Connector;
  readonly #holds: boolean;
  readonly #id = `${TOKEN}.${lines++}`;
  #connection: Connection;
  readonly #pending = new Set<Pending>();
  #seq = 0;
  #reopening: Promise<void> | undefined;
  #error: unknown;
  #hasFinished = false;
  /** Whether there is no further connection. */
  #isLast = false;
  #onStopped: () => void = () => {};
  #onPaused: (queue: string) => void = () => {};
  /** Called with each further connection, before requests without an answer are sent again. */
  onReopened: (connection: Connection) => void = () => {};

  /** @param holds see `Connector` */
  static async open(caller: Caller, holds = false): Promise<Line> {
    const connector = new Connector(caller, holds);
    return new Line(connector, holds, await connector.connect());
  }

  private constructor(connector: Connector, holds: boolean, connection: Connection) {
    this.#connector = connector;
    this.#holds = holds;
    this.#connection = connection;
    this.#keep(connection);
  }

  /**
   * Sends a request.
   * @returns the frame of the answer
   * @throws MqError the answer, when it is an error; UNKNOWN when it may have taken effect and nobody answers any
   *   more; STOPPED, UNREACHABLE, ... when it has not
   */
  request(question: Question, terms = USUAL): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const pending = { question, terms, seq: this.#seq++, isSent: false, isAgain: false, resolve, reject };
      if (this.#error !== undefined) return reject(this.#notKnown(pending, this.#error));
      this.#pending.add(pending);
      if (this.#reopening === undefined) this.#send(pending);
    });
  }

  /** The same as `request`, with the answer as a value. */
  async ask(question: Question): Promise<Value> {
    return new Reader(await this.request(question)).read();
  }

  /** The same as `request`, for a request that makes the connection a stream; undefined when the answer is nil. */
  async upgrade(question: Question): Promise<Stream | undefined> {
    const answer = new Reader(await this.request(question, { isUpgrade: true })).read();
    return answer === null ? undefined : this.#connection.stream;
  }

  /** The connection to the daemon of the moment. A request that is made there directly is not sent again. */
  get connection(): Connection {
    return this.#connection;
  }

  /** The limit of a request that is made there now; see `Connector`. */
  get limit(): number {
    return this.#connector.limit;
  }

  /** The daemon's answer to the greeting. */
  get greeting(): ReadonlyMap<string, Value> {
    return this.#connection.greeting;
  }

  /** Called when the daemon was stopped; for a moment it still takes requests. */
  set onStopped(call: () => void) {
    this.#onStopped = call;
    this.#connection.onStopped = call;
  }

  /** Called when a queue is paused at which this connection waits, or has leases bound to it. */
  set onPaused(call: (queue: string) => void) {
    this.#onPaused = call;
    this.#connection.onPaused = call;
  }

  /** Sends nothing more. Requests that were sent are still answered, but wait for nothing. */
  finish(): void {
    this.#hasFinished = true;
    this.#connection.finish();
  }

  destroy(): void {
    this.#isLast = true;
    this.#connection.destroy();
  }

  #send(pending: Pending): void {
    const connection = this.#connection;
    const { question, terms, seq } = pending;
    const asked = typeof question === 'function' ? question() : question;
    const request = isOnce(asked) ? { ...asked, once: { client: this.#id, seq, acked: this.#acked } } : asked;
    pending.isSent ||= connection.end === undefined;
    connection.request(request, { limit: this.limit, isUpgrade: terms.isUpgrade }).then(
      (frame) => {
        this.#pending.delete(pending);
        pending.resolve(frame);
      },
      (error: unknown) => {
        // An error of an earlier connection is no news.
        if (connection !== this.#connection || !this.#pending.has(pending)) return;
        if (isLoss(error) && !this.#isLast) this.#reopening ??= this.#reopen();
        else
          this.#reject(pending, this.#tells(error, pending, asked) ? error : this.#notKnown(pending, error));
      },
    );
  }

  /** The number of the first request that is not answered. */
  get #acked(): number {
    for (const { seq } of this.#pending) return seq;
    return this.#seq;
  }

  async #reopen(): Promise<void> {
    try {
      const connection = await this.#connector.connect();
      if (this.#isLast) return connection.destroy();
      connection.onStopped = this.#onStopped;
      connection.onPaused = this.#onPaused;
      this.#connection = connection;
      this.#reopening = undefined;
      this.#keep(connection);
      this.onReopened(connection);
      for (const pending of [...this.#pending]) {
        pending.isAgain = pending.isSent;
        this.#send(pending);
      }
      if (this.#hasFinished) connection.finish();
    } catch (error) {
      this.#reopening = undefined;
      // Without pending requests the next one tries again.
      if (this.#pending.size > 0) this.#fail(error);
    }
  }

  /**
   * Connects to the next daemon as soon as one dies: where that cannot see this process, it keeps what was given to
   * it for 15 s only.
   */
  #keep(connection: Connection): void {
    if (!this.#holds) return;
    void connection.closed.then((end) => {
      if (isLoss(end) && !this.#isLast && !this.#hasFinished) this.#reopening ??= this.#reopen();
    });
  }

  #fail(error: unknown): void {
    this.#error ??= error;
    for (const pending of [...this.#pending]) this.#reject(pending, this.#notKnown(pending, error));
  }

  #reject(pending: Pending, error: unknown): void {
    this.#pending.delete(pending);
    pending.reject(error);
  }

  /** Whether the error of a request that was sent says that it was not done. */
  #tells(error: unknown, { terms, isAgain }: Pending, asked: Request): boolean {
    const isAnswer = error !== this.#connection.end;
    switch (error instanceof MqError && error.code) {
      case 'LOST':
      case 'UNREACHABLE':
        return isAnswer;
      case 'STOPPED':
        // A daemon that is stopped tells what it did itself, but not what an earlier one may have done.
        return terms.unknown === undefined && (!isAgain || (isAnswer && !isOnce(asked)));
      default:
        return true;
    }
  }

  /** The error of a request that nobody answers any more. */
  #notKnown({ question, terms, isSent }: Pending, cause: unknown): unknown {
    const { verb } = typeof question === 'function' ? question() : question;
    const isOpen = terms.unknown !== undefined || (isSent && !READING.has(verb));
    if (!isOpen || !(cause instanceof MqError)) return cause;
    const { message, advice } = cause;
    return new MqError('UNKNOWN', `${message}: ${terms.unknown ?? TEXTS.mayBeDone}`, { cause, advice });
  }
}

function isOnce(request: Request): boolean {
  if (request.verb === 'DONE') return request.leases.length > 0;
  return ONCE.has(request.verb) || (request.verb === 'PUT' && request.done !== undefined);
}
