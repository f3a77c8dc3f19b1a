import type { Socket } from 'node:net';
import { now } from '../clock.ts';
import { MqError } from '../errors.ts';
import { Fifo } from '../fifo.ts';
import { encodeRequest } from '../protocol/encode-request.ts';
import { FrameScanner } from '../protocol/frames.ts';
import type { Greeting, Request, Verb } from '../protocol/requests.ts';
import { Push, Reader, type Value } from '../protocol/values.ts';

interface Unanswered {
  resolve: (frame: Buffer) => void;
  reject: (error: MqError) => void;
  /** When the daemon is given up on, on the clock of now(). */
  limit: number;
  /** When it is asked by another connection whether it lives; Infinity: its answer may take as long as it likes. */
  doubt: number;
  /** Whether the connection is a stream of bytes from the answer OK on. */
  isUpgrade: boolean;
}

export interface RequestOptions {
  /** When the daemon is given up on, on the clock of now(); without: see `DOUBT`. */
  limit?: number | undefined;
  isUpgrade?: boolean;
}

/** The daemon has so long, in ms, to answer one request before it is asked whether it lives. */
const DOUBT = 5000;

/** Behind a limit the daemon is given up on once nothing has come from it for so long, in ms. */
export const MARGIN = 1000;

/** Requests whose answer may take as long as somebody else likes, and that change nothing meanwhile. */
const WAITS = new Set<Verb>(['GET', 'JOIN', 'PIPE']);

const ERROR_TYPE = 0x2d; // -
const PUSH_TYPE = 0x3e; // >
const TEXT_TYPE = 0x2b; // +

/**
 * A connection to the daemon: requests go out as they are made, their answers come back in that
 * order. When it ends, what had no answer fails: STOPPED when somebody stopped the daemon, UNREACHABLE
 * when it hangs, else LOST, and then the daemon can be started again.
 */
export class Connection {
  /** What the daemon said of itself in its greeting; empty before that. */
  greeting = new Map<string, Value>();
  /** Fulfilled when it has ended, with the reason. */
  readonly closed: Promise<MqError>;
  /** Fulfilled when the daemon lives, as another connection shows; rejected when it does not answer there either. */
  isAlive: () => Promise<void> = async () => {};
  readonly #socket: Socket;
  readonly #scanner = new FrameScanner({ bulk: Infinity, frame: Infinity, requests: false });
  readonly #unanswered = new Fifo<Unanswered>();
  /** Not yet written. */
  readonly #unwritten: Buffer[] = [];
  /** When something came last. */
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
   * Says who this is; to be done first.
   * @param mq undefined: nobody in particular, as a client of Redis would
   * @param limit when the daemon is given up on, on the clock of now()
   * @throws MqError as `request`
   */
  async greet(mq: Greeting | undefined, limit: number): Promise<void> {
    const answer = await this.ask({ verb: 'HELLO', version: 3, mq }, { limit });
    if (!(answer instanceof Map) || String(answer.get('server')) !== 'mq') throw notMq();
    this.greeting = answer;
  }

  /** What is asked now is not sent any more. */
  get hasEnded(): boolean {
    return this.#end !== undefined;
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

  /**
   * Sends a request that makes the connection a stream of bytes, once it is answered with OK.
   * @returns the socket, paused, and what has come of the stream; undefined when the answer is nil
   * @throws MqError as `request`
   */
  async upgrade(request: Request, limit: number): Promise<{ socket: Socket; rest: Buffer } | undefined> {
    const answer = new Reader(await this.request(request, { limit, isUpgrade: true })).read();
    return answer === null ? undefined : { socket: this.#socket, rest: this.#scanner.rest };
  }

  /** The same as `request`, with the answer as a value. */
  async ask(request: Request, options?: RequestOptions): Promise<Value> {
    return new Reader(await this.request(request, options)).read();
  }

  /** Sends nothing more; what was sent is still answered, but waits for nothing. */
  finish(): void {
    this.#flush();
    this.#socket.end();
  }

  /** Soon: a command that is through with its work ends first, and is spared what Node does then. */
  destroy(): void {
    clearTimeout(this.#timer);
    setImmediate(() => this.#socket.destroy());
  }

  /** What is said at one time goes out in one write(2). */
  #write(bytes: Buffer): void {
    this.#unwritten.push(bytes);
    if (this.#unwritten.length === 1) process.nextTick(() => this.#flush());
  }

  /** One buffer, and not a corked stream: to load that takes a short command longer than to copy. */
  #flush(): void {
    const bytes = this.#unwritten.splice(0);
    if (bytes.length > 0)
      this.#socket.write(bytes.length === 1 ? (bytes[0] as Buffer) : Buffer.concat(bytes));
  }

  /** Looks at the request that has waited longest, when the daemon may be given up on or in doubt. */
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
        // Its end is told to all connections.
        else first.doubt = now() + DOUBT;
      }
    }
  }

  /** As long as it answers others, it is busy. */
  #limitOf({ limit }: Unanswered): number {
    return Math.max(limit, this.#heardAt + MARGIN);
  }

  #giveUp(): void {
    this.#fail(new MqError('UNREACHABLE', 'the daemon does not answer'));
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
    if (value instanceof Push && String(value.values[0]) === 'stopped') {
      this.#stopped = true;
      this.onStopped();
    }
  }

  /** Called when the daemon says that it was stopped; it still takes a last word for a moment. */
  onStopped: () => void = () => {};

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
    return this.#stopped
      ? new MqError('STOPPED', 'the daemon was stopped')
      : new MqError('LOST', 'the daemon went away');
  }

  /** @returns why it has ended: the first reason */
  #fail(error: MqError): MqError {
    this.#end ??= error;
    const unanswered = [...this.#unanswered];
    this.#unanswered.clear();
    for (const { reject } of unanswered) reject(this.#end);
    return this.#end;
  }
}

/** Whether the daemon died, and another can be asked. */
export function isLoss(error: unknown): boolean {
  return error instanceof MqError && error.code === 'LOST';
}

function notMq(cause?: unknown): MqError {
  return new MqError('PROTOCOL', 'what listens on the socket is not mq', { cause });
}
