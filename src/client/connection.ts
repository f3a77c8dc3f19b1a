import type { Socket } from 'node:net';
import { MqError } from '../errors.ts';
import { Fifo } from '../fifo.ts';
import { encodeRequest } from '../protocol/encode-request.ts';
import { FrameScanner } from '../protocol/frames.ts';
import type { Request } from '../protocol/requests.ts';
import { Push, Reader, type Value } from '../protocol/values.ts';
import { PROTOCOL, VERSION } from '../version.ts';

interface Unanswered {
  resolve: (frame: Buffer) => void;
  reject: (error: MqError) => void;
  /** Whether the connection is a stream of bytes from the answer OK on. */
  isUpgrade: boolean;
}

/** For how long the daemon may take to answer the greeting, in ms. */
const PATIENCE = 15_000;

const ERROR_TYPE = 0x2d; // -
const PUSH_TYPE = 0x3e; // >
const TEXT_TYPE = 0x2b; // +

/**
 * A connection to the daemon: requests go out as they are made, their answers come back in that
 * order. When it ends, what had no answer fails: STOPPED when somebody stopped the daemon, else
 * LOST, and then the daemon can be started again.
 */
export class Connection {
  /** What the daemon said in its greeting. */
  readonly greeting: Promise<Map<string, Value>>;
  /** Fulfilled when it has ended. */
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #scanner = new FrameScanner({ bulk: Infinity, frame: Infinity, requests: false });
  readonly #unanswered = new Fifo<Unanswered>();
  /** Not yet written. */
  readonly #said: Buffer[] = [];
  #end: MqError | undefined;
  #stopped = false;

  /**
   * @param replace whether a daemon older than this client is to make room for a newer one
   * @param holds whether it takes messages that it is to have again after a crash of the daemon
   */
  constructor(socket: Socket, replace: boolean, holds: boolean) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.#fail(this.#lost());
        resolve();
      });
    });
    this.greeting = this.#greet(replace, holds);
    // Whoever waits for an answer is told too.
    this.greeting.catch(() => {});
  }

  /**
   * Sends a request.
   * @returns the frame of the answer
   * @throws MqError the answer, when it is an error; LOST or STOPPED when the connection ended first
   */
  request(request: Request, isUpgrade = false): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (this.#end) return reject(this.#end);
      this.#unanswered.push({ resolve, reject, isUpgrade });
      this.#write(encodeRequest(request));
    });
  }

  /**
   * Sends a request that makes the connection a stream of bytes, once it is answered with OK.
   * @returns the socket, paused, and what has come of the stream; undefined when the answer is nil
   * @throws MqError as `request`
   */
  async upgrade(request: Request): Promise<{ socket: Socket; rest: Buffer } | undefined> {
    const answer = new Reader(await this.request(request, true)).read();
    return answer === null ? undefined : { socket: this.#socket, rest: this.#scanner.rest };
  }

  /** The same, with the answer as a value. */
  async ask(request: Request): Promise<Value> {
    return new Reader(await this.request(request)).read();
  }

  /** Sends nothing more; what was sent is still answered, but waits for nothing. */
  finish(): void {
    this.#flush();
    this.#socket.end();
  }

  /** Soon: a command that is through with its work ends first, and is spared what Node does then. */
  destroy(): void {
    setImmediate(() => this.#socket.destroy());
  }

  /** What is said at one time goes out in one write(2). */
  #write(bytes: Buffer): void {
    this.#said.push(bytes);
    if (this.#said.length === 1) process.nextTick(() => this.#flush());
  }

  /** One buffer, and not a corked stream: to load that takes a short command longer than to copy. */
  #flush(): void {
    const said = this.#said.splice(0);
    if (said.length > 0) this.#socket.write(said.length === 1 ? (said[0] as Buffer) : Buffer.concat(said));
  }

  async #greet(replace: boolean, holds: boolean): Promise<Map<string, Value>> {
    const timer = setTimeout(() => {
      this.#fail(new MqError('UNREACHABLE', `the daemon does not answer for ${PATIENCE / 1000} s`));
      this.destroy();
    }, PATIENCE);
    try {
      const mq = { protocol: PROTOCOL, version: VERSION, replace, pid: holds ? process.pid : undefined };
      return (await this.ask({ verb: 'HELLO', version: 3, mq })) as Map<string, Value>;
    } catch (error) {
      if (error instanceof MqError && error.code === 'PROTOCOL') {
        this.#fail(
          new MqError('PROTOCOL', error.message, { advice: 'Stop that daemon with its own mq: mq stop' }),
        );
      }
      // What was sent behind the greeting is not answered any more: LOST.
      this.destroy();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  #receive(chunk: Buffer): void {
    try {
      this.#scanner.push(chunk, (frame) => this.#take(frame));
    } catch (cause) {
      if (!(cause instanceof MqError)) throw cause;
      this.#fail(new MqError('PROTOCOL', 'what listens on the socket is not mq', { cause }));
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

  #fail(error: MqError): void {
    this.#end ??= error;
    const unanswered = [...this.#unanswered];
    this.#unanswered.clear();
    for (const { reject } of unanswered) reject(this.#end);
  }
}
