import type { Socket } from 'node:net';
import { now } from '../clock.ts';
import { MqError } from '../errors.ts';
import { Fifo } from '../fifo.ts';
import type { Places } from '../paths.ts';
import type { Direction } from '../protocol/requests.ts';
import {
  ALL_TAKEN,
  refusal,
  STREAM_END,
  STREAM_START,
  type StreamEvents,
  StreamScanner,
  writeChunk,
} from '../protocol/stream.ts';
import type { Stream } from './connection.ts';
import { Line } from './line.ts';

/** Takes bytes; undefined: that is done already. */
type TakePiece = (piece: Buffer) => Promise<void> | undefined;

export interface PipeOptions {
  pipe: string;
  direction: Direction;
  /** The time to give up waiting for the other end, on the clock of now(); Infinity: never. */
  deadline: number;
}

/** One end of a pipe that has both. Bytes go both ways at once; each way has an end of its own. */
export class PipeEnd implements StreamEvents {
  /** Bytes that were sent so far. */
  sent = 0;
  readonly #socket: Socket;
  readonly #scanner: StreamScanner;
  /** Bytes that have come, and are not taken. */
  readonly #pieces = new Fifo<Buffer>();
  /** The receiver, and whether it is still taking the last piece. */
  #take: TakePiece | undefined;
  #isTaking = false;
  #hasAll = false;
  /** Whether the other end was told that its bytes were taken, or are not wanted. */
  #hasJudged = false;
  /** The reason why nothing more can be sent, or received. */
  #sendError: MqError | undefined;
  #receiveError: MqError | undefined;
  /** Settled when the bytes that were sent are taken, or are in vain. */
  readonly #verdict = Promise.withResolvers<void>();
  readonly #received = Promise.withResolvers<void>();
  /** Fulfilled when no bytes come any more: the other end has sent all, or the pipe is over. */
  readonly #ended = Promise.withResolvers<void>();
  #wakeSender: () => void = () => {};

  /**
   * Opens an end, and waits for the other. When the daemon dies meanwhile, the wait goes on at the next one.
   * @returns undefined when nobody opened the other end in time
   * @throws MqError TAKEN, MISFIT; STOPPED, UNREACHABLE, ...
   */
  static async open(places: Places, start: boolean, options: PipeOptions): Promise<PipeEnd | undefined> {
    const { pipe, direction, deadline } = options;
    const { pid } = process;
    const line = await Line.open({ places, start, deadline });
    let stream: Stream | undefined;
    try {
      stream = await line.upgrade(() => {
        const timeout = Math.max(0, Math.ceil(deadline - now()));
        return { verb: 'PIPE', pipe, direction, timeout, pid };
      });
    } finally {
      if (stream === undefined) line.destroy();
    }
    return stream && new PipeEnd(stream, direction);
  }

  private constructor({ socket, rest }: Stream, direction: Direction) {
    this.#socket = socket;
    this.#scanner = new StreamScanner(this);
    for (const { promise } of [this.#verdict, this.#received]) promise.catch(() => {});
    socket.on('data', (bytes) => this.#read(bytes));
    socket.on('drain', () => this.#wakeSender());
    socket.on('close', () => this.#fail(new MqError('LOST', 'the daemon went away, and the pipe with it')));
    if (direction !== 'recv') socket.write(STREAM_START);
    if (rest.length > 0) this.#read(rest);
    socket.resume();
  }

  /** Fulfilled when it is known that nothing more can be sent. */
  get vain(): Promise<unknown> {
    return this.#verdict.promise.then(
      () => new Promise(() => {}),
      () => undefined,
    );
  }

  /**
   * Sends bytes.
   * @returns fulfilled when more can be sent, where the other end is slow; undefined: at once
   * @throws MqError CLOSED when the other end takes no more, GONE when it went away, STOPPED, LOST
   */
  send(piece: Buffer): Promise<void> | undefined {
    if (this.#sendError) return Promise.reject(this.#sendError);
    this.sent += piece.length;
    writeChunk(this.#socket, piece);
    if (!this.#socket.writableNeedDrain) return undefined;
    return new Promise((resolve) => {
      this.#wakeSender = resolve;
    });
  }

  /**
   * Sends the end, and waits until the other end has taken all.
   * @throws MqError as `send`
   */
  async finish(): Promise<void> {
    if (this.#sendError === undefined) this.#socket.write(STREAM_END);
    await this.#verdict.promise;
  }

  /**
   * Hands on the bytes that come until the other end has sent all, and tells it so.
   * @throws MqError GONE, STOPPED, LOST when the pipe was over before that; the error of `take`
   */
  receive(take: TakePiece): Promise<void> {
    this.#take = take;
    this.#handOn();
    return this.#received.promise;
  }

  /**
   * Takes nothing more, and tells the other end so, unless all is taken already.
   * @returns fulfilled when the other end has heard of it. If the connection were closed with bytes unread, the daemon
   *   might not read that word either, and the other end would hear that this one went away.
   */
  refuse(): Promise<void> {
    if (!this.#hasJudged) {
      this.#judge(refusal('CLOSED', 'it takes no more'));
      this.#pieces.clear();
      this.#socket.resume();
      this.#received.resolve(this.#ended.promise);
    }
    return this.#ended.promise;
  }

  /** Closes the connection, once all that was sent is on its way. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.writable) this.#socket.end(resolve);
      else resolve();
    });
  }

  /** Closes the connection at once, as if this process had been killed. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** @see StreamEvents */
  bytes(piece: Buffer): void {
    if (!this.#hasJudged) this.#pieces.push(piece);
  }

  /** @see StreamEvents */
  end(): void {
    this.#hasAll = true;
    this.#ended.resolve();
  }

  /** @see StreamEvents */
  verdict(error: MqError | undefined): void {
    if (error === undefined) this.#verdict.resolve();
    else if (error.code === 'CLOSED') {
      this.#socket.write(STREAM_END);
      this.#failSending(error);
    } else this.#fail(error);
  }

  #read(bytes: Buffer): void {
    try {
      this.#scanner.push(bytes);
    } catch (error) {
      this.#fail(error as MqError);
      this.#socket.destroy();
    }
    this.#handOn();
    // Bytes that are not wanted are read up to their end, whatever became of the piece that was being taken.
    if (this.#isTaking && !this.#hasJudged) this.#socket.pause();
  }

  /** Has the pieces taken one by one, and at last tells the other end. */
  #handOn(): void {
    if (this.#take === undefined || this.#hasJudged) return;
    try {
      while (!this.#isTaking && this.#pieces.length > 0) {
        const taking = this.#take(this.#pieces.shift() as Buffer);
        if (taking === undefined) continue;
        this.#isTaking = true;
        taking.then(() => {
          this.#isTaking = false;
          this.#handOn();
          if (!this.#isTaking) this.#socket.resume();
        }, this.#received.reject);
      }
    } catch (error) {
      this.#received.reject(error);
      return;
    }
    if (this.#isTaking || this.#pieces.length > 0) return;
    if (this.#hasAll) {
      this.#judge(ALL_TAKEN);
      this.#received.resolve();
    } else if (this.#receiveError) this.#received.reject(this.#receiveError);
  }

  #judge(verdict: Buffer): void {
    this.#hasJudged = true;
    if (this.#socket.writable) this.#socket.write(verdict);
  }

  #fail(error: MqError): void {
    this.#receiveError ??= error;
    this.#ended.resolve();
    this.#handOn();
    this.#failSending(error);
  }

  #failSending(error: MqError): void {
    this.#sendError ??= error;
    this.#verdict.reject(this.#sendError);
    this.#wakeSender();
  }
}
