import type { Writable } from 'node:stream';
import { type Code, MqError } from '../errors.ts';
import { readError } from './reader.ts';

/**
 * The bytes on a connection that has become an end of a pipe. In each direction that the pipe has goes a
 * streamed string of RESP 3 (https://github.com/redis/redis-specifications/blob/master/protocol/RESP3.md),
 * which is a string whose length is not known before it ends:
 *
 *     $?\r\n  ;5\r\nhello\r\n  ;1\r\n!\r\n  ;0\r\n
 *
 * Between two of its chunks, or behind them, stands one line about the string that came the other way: `+OK`
 * (all of it was taken, its end too) or `-CODE text` (it is in vain).
 *
 * The chunks mean nothing: a relay may cut the stream anew.
 */
export interface StreamEvents {
  /** The next bytes. */
  bytes(piece: Buffer): void;
  /** All bytes have come. */
  end(): void;
  /** The fate of the stream in the other direction; undefined: all of it was taken. */
  verdict(error: MqError | undefined): void;
}

export const STREAM_START = Buffer.from('$?\r\n');
export const STREAM_END = Buffer.from(';0\r\n');
export const ALL_TAKEN = Buffer.from('+OK\r\n');

/** `-CODE text`: the other's stream is in vain. */
export function refusal(code: Code, text: string): Buffer {
  return Buffer.from(`-${code} ${text}\r\n`);
}

const LINE_END = Buffer.from('\r\n');

/** Bytes. Shorter pieces are copied into one Buffer with the lines around them, which is cheaper than a writev(2). */
const SHORT = 4096;

/** Writes a chunk of a stream. */
export function writeChunk(socket: Writable, piece: Buffer): void {
  const head = `;${piece.length}\r\n`;
  if (piece.length <= SHORT) {
    const all = Buffer.allocUnsafe(head.length + piece.length + LINE_END.length);
    all.write(head, 'latin1');
    all.set(piece, head.length);
    all.set(LINE_END, head.length + piece.length);
    socket.write(all);
    return;
  }
  socket.cork();
  socket.write(head, 'latin1');
  socket.write(piece);
  socket.write(LINE_END);
  socket.uncork();
}

/** Bytes of the longest line, the text of an error. */
const LONGEST_LINE = 1024;

const LF = 0x0a;

/** Reads a stream as it comes, and hands its bytes on at once. */
export class StreamScanner {
  readonly #events: StreamEvents;
  /** Bytes of the current chunk that have not come. */
  #missing = 0;
  /** The part of the current line that has come. */
  #line = '';

  constructor(events: StreamEvents) {
    this.#events = events;
  }

  /** @throws MqError SYNTAX; after that the stream cannot be followed any further */
  push(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#missing > 0) {
        const end = Math.min(at + this.#missing, bytes.length);
        this.#missing -= end - at;
        this.#events.bytes(bytes.subarray(at, end));
        at = end;
        continue;
      }
      const end = bytes.indexOf(LF, at);
      this.#line += bytes.toString('latin1', at, end === -1 ? bytes.length : end);
      if (this.#line.length > LONGEST_LINE) throw new MqError('SYNTAX', 'a line without end');
      if (end === -1) return;
      const line = this.#line;
      this.#line = '';
      at = end + 1;
      this.#take(line);
    }
  }

  #take(line: string): void {
    const text = line.slice(0, -1);
    if (!line.endsWith('\r')) throw new MqError('SYNTAX', 'a line does not end in CR LF');
    // Behind a chunk, and before the first.
    if (text === '' || text === '$?') return;
    if (text === '+OK') this.#events.verdict(undefined);
    else if (text.startsWith('-')) this.#events.verdict(readError(text.slice(1)));
    else if (/^;\d{1,15}$/.test(text)) {
      this.#missing = Number(text.slice(1));
      if (this.#missing === 0) this.#events.end();
    } else throw new MqError('SYNTAX', 'these bytes are not part of a streamed string');
  }
}
