import type { Socket } from 'node:net';
import { now } from '../clock.ts';
import { MqError } from '../errors.ts';
import { Fifo } from '../fifo.ts';
import { encodeRequest } from '../protocol/encode-request.ts';
import { FrameScanner } from '../protocol/frames.ts';
import { Reader } from '../protocol/reader.ts';
import type { Greeting, Request, Verb } from '../protocol/requests.ts';
import { Push, type Value } from '../protocol/values.ts';
import { TEXTS } from '../texts.ts';

interface Unanswered {
  resolve: (frame: Buffer) => void;
  reject: (error: MqError) => void;
  /** The time after which a silent daemon is given up on, on the clock of now(). */
  limit: number;
  /** The time after which another connection asks whether the daemon lives; Infinity: the answer may take any time. */
  doubt: number;
  /** Whether the connection is a stream of bytes from the answer OK on. */
  isUpgrade: boolean;
}

export interface RequestOptions {
  /** The time after which a silent daemon is given up on, on the clock of now(); without it, see `DOUBT`. */
  limit?: number | undefined;
  isUpgrade?: boolean | undefined;
}

/** A connection that has become a stream of bytes: its socket, paused, and the bytes of the stream that have come. */
export interface Stream {
  socket: Socket;
  rest: Buffer;
}

/** Milliseconds that the daemon has for an answer before another connection asks whether it lives. */
export const DOUBT = 5000;

/** Milliseconds of silence after which the daemon is given up on, once a limit has passed. */
export const MARGIN = 1000;

/** Requests whose answer depends on others and may take any time; they change nothing meanwhile. */
export const WAITS: ReadonlySet<Verb> = new Set<Verb>(['GET', 'JOIN', 'PIPE']);

const ERROR_TYPE = 0x2d; // -
const PUSH_TYPE = 0x3e; // >
const TEXT_TYPE = 0x2b; // +

/**
 * A connection to the daemon. Requests go out as they are made, and answers come back in that order. When it
 * ends, requests without an answer fail: with STOPPED when somebody stopped the daemon, UNREACHABLE when it
 * hangs, else LOST: then the daemon can be started again.
 */
export class Connection {
  /** The daemon's answer to the greeting; empty before that. */
  greeting = new Map<string, Value>();
  /** Fulfilled when it has ended, with the reason. */
  readonly closed: Promise<MqError>;
  /** Fulfilled when the daemon lives, as another connection shows; rejected when it does not answer there either. */
  isAlive: () => Promise<void> = async () => {};
  readonly #socket: Socket;
  readonly #scanner = new FrameScanner({ bulk: Infinity, frame: Infinity, requests: false });
  readonly #unanswered = new Fifo<Unanswered>();
  /** Requests that are not written yet. */
  readonly #unwritten: Buffer[] = [];
  /** The time when something last came. */
  #heardAt = now();
  #timer: NodeJS.Timeout | undefined;
  #end: MqError | undefined;
  #stopped = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        resolve(this.#fail(this.#lost()));
      });
    });
  }

  /**
   * Greets the daemon, which comes first.
   * @param mq who this is; undefined: nobody in particular, like a client of Redis
   * @param limit see `RequestOptions`
   * @throws MqError as `request`
   */
  async greet(mq: Greeting | undefined, limit: number): Promise<void> {
    const answer = await this.ask({ verb: 'HELLO', version: 3, mq }, { limit });
    if (!(answer instanceof Map) || String(answer.get('server')) !== 'mq') throw notMq();
    this.greeting = answer;
  }

  /** The reason why requests are no longer sent; requests that have no answer fail with this very error. */
  get end(): MqError | undefined {
    return this.#end;
  }

  /**
   * Sends a request.
   * @returns the frame of the answer
   * @throws MqError the answer, when it is an error; LOST, STOPPED or UNREACHABLE when there is none
   */
  request(request: Request, { limit = Infinity, isUpgrade = false }: RequestOptions = {}): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (this.#end) return reject(this.#end);
      const doubt = limit < Infinity || WAITS.has(request.verb) ? Infinity : now() + DOUBT;
      this.#unanswered.push({ resolve, reject, limit, doubt, isUpgrade });
      this.#write(encodeRequest(request));
      this.#watch();
    });
  }

  /** The same as `request`, with the answer as a value. */
  async ask(request: Request, options?: RequestOptions): Promise<Value> {
    return new Reader(await this.request(request, options)).read();
  }

  /** The stream that the connection is after the answer OK to a request with `isUpgrade`. */
  get stream(): Stream {
    return { socket: this.#socket, rest: this.#scanner.rest };
  }

  /** Sends nothing more. Requests that were sent are still answered, but wait for nothing. */
  finish(): void {
    this.#flush();
    this.#socket.end();
  }

  /** Ends the connection soon: a command that has done its work ends first, and is spared Node's part of that. */
  destroy(): void {
    clearTimeout(this.#timer);
    setImmediate(() => this.#socket.destroy());
  }

  /** Requests that are made at one time go out in one write(2). */
  #write(bytes: Buffer): void {
    this.#unwritten.push(bytes);
    if (this.#unwritten.length === 1) process.nextTick(() => this.#flush());
  }

  /** Writes one buffer. A corked stream would not copy, but loading that costs a short command more. */
  #flush(): void {
    const bytes = this.#unwritten.splice(0);
    if (bytes.length > 0)
      this.#socket.write(bytes.length === 1 ? (bytes[0] as Buffer) : Buffer.concat(bytes));
  }

  /** Sets the timer for the request that has waited longest. */
  #watch(): void {
    const first = this.#unanswered.first;
    if (this.#timer !== undefined || first === undefined) return;
    const next = Math.min(this.#limitOf(first), first.doubt);
    if (next === Infinity) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        void this.#judge().then(() => this.#watch());
      },
      Math.max(0, next - now()),
    ).unref();
  }

  async #judge(): Promise<void> {
    const first = this.#unanswered.first;
    if (first === undefined) return;
    if (this.#limitOf(first) <= now()) this.#giveUp();
    else if (first.doubt <= now()) {
      try {
        await this.isAlive();
        first.doubt = now() + DOUBT;
      } catch (error) {
        if (!(error instanceof MqError)) throw error;
        if (error.code === 'UNREACHABLE') this.#giveUp();
        // A daemon that has ended is noticed by this connection too.
        else first.doubt = now() + DOUBT;
      }
    }
  }

  /** A daemon that answers other requests is busy, and is waited for. */
  #limitOf({ limit }: Unanswered): number {
    return Math.max(limit, this.#heardAt + MARGIN);
  }

  #giveUp(): void {
    this.#fail(new MqError('UNREACHABLE', TEXTS.unanswered));
    this.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#heardAt = now();
    try {
      this.#scanner.push(chunk, (frame) => this.#take(frame));
    } catch (cause) {
      if (!(cause instanceof MqError)) throw cause;
      this.#fail(notMq(cause));
      this.destroy();
    }
  }

  /** @returns whether frames follow */
  #take(frame: Buffer): boolean {
    if (frame[0] === PUSH_TYPE) this.#hear(new Reader(frame).read());
    else return this.#answer(frame);
    return true;
  }

  #hear(value: Value): void {
    if (!(value instanceof Push)) return;
    const [what, queue] = value.values.map(String);
    if (what === 'stopped') {
      this.#stopped = true;
      this.onStopped();
    } else if (what === 'paused' && queue !== undefined) this.onPaused(queue);
  }

  /** Called when the daemon says that it was stopped; for a moment it still takes requests. */
  onStopped: () => void = () => {};

  /** Called when the daemon says that a queue was paused. */
  onPaused: (queue: string) => void = () => {};

  #answer(frame: Buffer): boolean {
    const next = this.#unanswered.shift();
    if (frame[0] === ERROR_TYPE) next?.reject(new Reader(frame).read() as MqError);
    else next?.resolve(frame);
    if (this.#unanswered.length === 0) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    } else this.#watch();
    if (!next?.isUpgrade || frame[0] !== TEXT_TYPE) return true;
    this.#socket.pause();
    this.#socket.removeAllListeners('data');
    return false;
  }

  #lost(): MqError {
    return this.#stopped ? new MqError('STOPPED', TEXTS.stopped) : new Loss('the daemon went away');
  }

  /** @returns the first reason for its end */
  #fail(error: MqError): MqError {
    this.#end ??= error;
    const unanswered = [...this.#unanswered];
    this.#unanswered.clear();
    for (const { reject } of unanswered) reject(this.#end);
    return this.#end;
  }
}

/** The daemon died, or made room for a newer one, before it answered: another can be asked. */
export class Loss extends MqError {
  constructor(text: string) {
    super('LOST', text);
  }
}

export function isLoss(error: unknown): error is Loss {
  return error instanceof Loss;
}

function notMq(cause?: unknown): MqError {
  return new MqError('PROTOCOL', TEXTS.notMq, { cause });
}
