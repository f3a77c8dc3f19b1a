import type { Socket } from 'node:net';
import { MqError } from '../errors.ts';
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
import { encode, OK } from '../protocol/values.ts';

/**
 * One end of a pipe, in the daemon. Bytes of its client go to the client of the other end as they come, and
 * none are kept: while the other client does not read, this one is not read from.
 */
export class RelayEnd implements StreamEvents {
  readonly direction: Direction;
  /** The client's process id, if it is known. */
  readonly pid: number | undefined;
  readonly openedAt = Date.now();
  /** Bytes that its client has sent, and bytes that have gone to it. */
  sent = 0;
  received = 0;
  readonly #socket: Socket;
  readonly #scanner = new StreamScanner(this);
  /** The other end, which is there before any bytes come: see `connect`. */
  #other!: RelayEnd;
  #onOver: () => void = () => {};
  /** Whether its client has sent all, and whether it has told the fate of the bytes that it received. */
  #hasEnded: boolean;
  #hasJudged: boolean;
  #isClosed = false;

  constructor(socket: Socket, direction: Direction, pid: number | undefined) {
    this.#socket = socket;
    this.direction = direction;
    this.pid = pid;
    this.#hasEnded = direction === 'recv';
    this.#hasJudged = direction === 'send';
  }

  /**
   * Connects two ends to a pipe, and answers both clients.
   * @param onOver called when the pipe is over: neither client has anything left to say
   */
  static connect(ends: [RelayEnd, RelayEnd], onOver: () => void): void {
    const [first, second] = ends;
    first.#other = second;
    second.#other = first;
    for (const end of ends) {
      end.#onOver = onOver;
      for (const bytes of encode(OK, 2)) end.#socket.write(bytes);
      if (end.direction !== 'send') end.#socket.write(STREAM_START);
    }
  }

  /**
   * Takes bytes of its client.
   * @throws MqError SYNTAX; the client cannot be followed any further
   */
  receive(bytes: Buffer): void {
    const other = this.#other;
    if (other.#isClosed) return;
    this.#scanner.push(bytes);
    if (other.#socket.writableNeedDrain) this.#socket.pause();
  }

  /** Its client has read what it was sent. */
  drained(): void {
    this.#other.#socket.resume();
  }

  /** Its connection has ended. */
  close(): void {
    if (this.#isClosed) return;
    const other = this.#other;
    if (!this.#isOver) other.tell(new MqError('GONE', 'the other end went away'));
    this.#isClosed = true;
    // Bytes of the other end go nowhere, but they are read so that its end is noticed.
    other.#socket.resume();
    this.#settle();
  }

  /** Tells its client that the pipe is over. */
  tell({ code, message }: MqError): void {
    if (this.#socket.writable) this.#socket.write(refusal(code, message));
  }

  /** @see StreamEvents */
  bytes(piece: Buffer): void {
    if (this.#hasEnded) throw new MqError('SYNTAX', 'this end may not send bytes');
    this.sent += piece.length;
    this.#other.received += piece.length;
    if (this.#other.#socket.writable) writeChunk(this.#other.#socket, piece);
  }

  /** @see StreamEvents */
  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#pass(STREAM_END);
    this.#settle();
  }

  /** @see StreamEvents */
  verdict(error: MqError | undefined): void {
    if (this.#hasJudged) return;
    this.#hasJudged = true;
    this.#pass(error === undefined ? ALL_TAKEN : refusal('CLOSED', 'the other end takes no more'));
    this.#settle();
  }

  #pass(bytes: Buffer): void {
    const socket = this.#other.#socket;
    if (socket.writable) socket.write(bytes);
  }

  get #isOver(): boolean {
    return this.#isClosed || (this.#hasEnded && this.#hasJudged);
  }

  #settle(): void {
    if (this.#isOver && this.#other.#isOver) this.#onOver();
  }
}
