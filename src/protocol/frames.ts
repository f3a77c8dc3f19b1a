import { MqError } from '../errors.ts';

/**
 * Finds the frames in a stream of bytes. A frame is one value of RESP, the Redis serialization
 * protocol (https://redis.io/docs/latest/develop/reference/protocol-spec/), versions 2 and 3: a type byte, a line, and
 * for bulk strings the bytes that the line counts, for arrays and maps the values that it counts.
 *
 * The scanner only hops from header to header; `reader.ts` and `parse-request.ts` read the frames. It
 * remembers its place, so that a frame that arrives in many chunks is scanned once.
 */
export interface Limits {
  /** The longest bulk string, in bytes. */
  bulk: number;
  /** The longest frame, in bytes. */
  frame: number;
  /** Whether each frame must be an array of bulk strings. */
  requests: boolean;
}

/** Bytes of a header line: a type, an integer, and CR LF. Texts (simple strings, errors) may be longer. */
const LONGEST_LINE = 64 * 1024;
const LONGEST_HEADER = 32;

const CR = 0x0d;
const LF = 0x0a;
const ZERO = 0x30;
const MINUS = 0x2d;

const BULK = 0x24; // $
const VERBATIM = 0x3d; // =
const BULK_ERROR = 0x21; // !
const ARRAY = 0x2a; // *
const SET = 0x7e; // ~
const PUSH = 0x3e; // >
const MAP = 0x25; // %
const TEXTS = new Set([...'+-:_,#('].map((type) => type.charCodeAt(0)));

export class FrameScanner {
  readonly #limits: Limits;
  /** Bytes that have come and are in no frame yet, up to #end. */
  #buffer: Buffer = Buffer.alloc(0);
  #end = 0;
  /** Whether #buffer was made here, and may be written behind #end. */
  #own = false;
  /** The start of the current frame, and the place up to which it is scanned. */
  #start = 0;
  #at = 0;
  /** The number of values that each open array still lacks, outermost first. */
  #missing: number[] = [];
  /** Bytes of the current frame that are known to come. */
  #expected = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Bytes that have come and are in no frame. */
  get rest(): Buffer {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  /** Bytes of the frame that is not complete, as far as its headers say. */
  get expected(): number {
    return this.#end === this.#start ? 0 : Math.max(this.#expected, this.#end - this.#start);
  }

  /** Bytes that have come of the frame that is not complete. */
  get pending(): number {
    return this.#end - this.#start;
  }

  /**
   * Takes the next chunk, and calls `take` with each frame that it completes, a view of the bytes. When that answers
   * false, no frames follow any more, and `rest` has the bytes behind it.
   * @throws MqError SYNTAX or TOOBIG; after that the stream cannot be followed any further
   */
  push(chunk: Buffer, take: (frame: Buffer) => unknown): void {
    this.#append(chunk);
    while (this.#skipEmptyLines() && this.#scan()) {
      const frame = this.#buffer.subarray(this.#start, this.#at);
      this.#start = this.#at;
      this.#expected = 0;
      if (take(frame) === false) return;
    }
    if (this.#start === this.#end) {
      this.#buffer = Buffer.alloc(0);
      this.#end = this.#start = this.#at = 0;
      this.#own = false;
    }
  }

  /** Redis takes empty lines between requests, and redis-cli --pipe sends one. */
  #skipEmptyLines(): boolean {
    const buffer = this.#buffer;
    if (this.#limits.requests && this.#at === this.#start) {
      while (this.#at < this.#end && (buffer[this.#at] === CR || buffer[this.#at] === LF))
        this.#start = ++this.#at;
    }
    return this.#at < this.#end;
  }

  #append(chunk: Buffer): void {
    if (this.#start === this.#end) {
      this.#buffer = chunk;
      this.#own = false;
      this.#end = chunk.length;
      this.#start = this.#at = 0;
      return;
    }
    const pending = this.#end - this.#start;
    if (!this.#own || this.#end + chunk.length > this.#buffer.length) {
      // Frames given out are views of the old buffer, so its bytes stay as they are.
      const size = pending + chunk.length;
      const likely = Math.max(this.#expected, Math.min(size * 2, this.#limits.frame));
      const grown = Buffer.allocUnsafeSlow(Math.max(size, likely));
      this.#buffer.copy(grown, 0, this.#start, this.#end);
      this.#at -= this.#start;
      this.#start = 0;
      this.#end = pending;
      this.#buffer = grown;
      this.#own = true;
    }
    chunk.copy(this.#buffer, this.#end);
    this.#end += chunk.length;
  }

  /** Scans on to the end of the frame; false: more bytes are needed. */
  #scan(): boolean {
    const missing = this.#missing;
    do {
      const next = this.#hop(this.#at, missing.length === 0);
      if (next === -1) return false;
      this.#at = next;
      if (this.#at - this.#start > this.#limits.frame) this.#tooBig('a frame', this.#limits.frame);
      while (missing.length > 0 && missing[missing.length - 1] === 0) missing.pop();
    } while (missing.length > 0);
    return true;
  }

  /** The end of a value, or of the header of an array; -1: bytes are missing. */
  #hop(at: number, outermost: boolean): number {
    if (at >= this.#end) return -1;
    const buffer = this.#buffer;
    const type = buffer[at] as number;
    const missing = this.#missing;
    if (this.#limits.requests && type !== (outermost ? ARRAY : BULK)) {
      throw new MqError('SYNTAX', 'a request is an array of bulk strings');
    }
    if (type === BULK || type === VERBATIM || type === BULK_ERROR) {
      const line = this.#header(at);
      if (line === -1) return -1;
      const end = this.#bulkEnd(line);
      if (end === -1) return -1;
      if (!outermost) (missing[missing.length - 1] as number)--;
      return end;
    }
    if (type === ARRAY || type === SET || type === PUSH || type === MAP) {
      const line = this.#header(at);
      if (line === -1) return -1;
      if (!outermost) (missing[missing.length - 1] as number)--;
      if (this.#number > 0) missing.push(type === MAP ? this.#number * 2 : this.#number);
      if (missing.length > 32) throw new MqError('SYNTAX', 'arrays nested too deep');
      return line;
    }
    if (TEXTS.has(type)) {
      const end = this.#textEnd(at);
      if (end !== -1 && !outermost) (missing[missing.length - 1] as number)--;
      return end;
    }
    throw new MqError('SYNTAX', `byte ${type} begins no value`);
  }

  /** The number in the header read last; -1 is the nil of RESP 2. */
  #number = 0;

  #header(at: number): number {
    const buffer = this.#buffer;
    let i = at + 1;
    if (i < this.#end && buffer[i] === MINUS && !this.#limits.requests) {
      if (i + 3 >= this.#end) return -1;
      if (buffer[i + 1] !== ZERO + 1 || buffer[i + 2] !== CR || buffer[i + 3] !== LF) this.#badLength();
      this.#number = -1;
      return i + 4;
    }
    let number = 0;
    for (; i < this.#end; i++) {
      const byte = buffer[i] as number;
      if (byte === CR) break;
      const digit = byte - ZERO;
      // Leading zeros are refused: packed messages have one spelling only.
      if (digit < 0 || digit > 9 || i - at > LONGEST_HEADER || (number === 0 && i > at + 1))
        this.#badLength();
      number = number * 10 + digit;
    }
    if (i - at > LONGEST_HEADER || i === at + 1) {
      if (i < this.#end) this.#badLength();
    }
    if (i + 1 >= this.#end) return -1;
    if (buffer[i + 1] !== LF) this.#badLength();
    this.#number = number;
    return i + 2;
  }

  #bulkEnd(line: number): number {
    if (this.#number === -1) return line;
    if (this.#number > this.#limits.bulk) this.#tooBig('a message', this.#limits.bulk);
    const end = line + this.#number + 2;
    if (end > this.#end) {
      if (end - this.#start > this.#limits.frame) this.#tooBig('a frame', this.#limits.frame);
      this.#expected = end - this.#start;
      return -1;
    }
    if (this.#buffer[end - 2] !== CR || this.#buffer[end - 1] !== LF) {
      throw new MqError('SYNTAX', 'a bulk string does not end where its length says');
    }
    return end;
  }

  #textEnd(at: number): number {
    const end = this.#buffer.subarray(0, this.#end).indexOf(LF, at);
    if (end === -1) {
      if (this.#end - at > LONGEST_LINE) throw new MqError('SYNTAX', 'a line without end');
      return -1;
    }
    return end + 1;
  }

  #badLength(): never {
    throw new MqError('SYNTAX', 'a length is not a plain decimal number');
  }

  #tooBig(what: string, limit: number): never {
    throw new MqError('TOOBIG', `${what} of more than ${limit} bytes`);
  }
}
