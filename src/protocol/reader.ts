import { type Code, EXIT_STATUS, MqError } from '../errors.ts';
import type { Packed } from '../packed.ts';
import { TEXTS } from '../texts.ts';
import { Push, Simple, type Value } from './values.ts';

const BULK = 0x24; // $
const ARRAY = 0x2a; // *
const INTEGER = 0x3a; // :
const MINUS = 0x2d;
const CR = 0x0d;
const ZERO = 0x30;

/**
 * Reads a complete frame from front to back, value by value.
 * The bytes come from a FrameScanner, so their form is known to be right.
 */
export class Reader {
  readonly #bytes: Buffer;
  /** Keys of maps, by their place, and the bytes that they were read from. */
  readonly #keys: { text: string; bytes: Buffer }[] = [];
  #areTexts = false;
  /** The position of the next value. */
  at = 0;

  constructor(frame: Buffer) {
    this.#bytes = frame;
  }

  get type(): string {
    return String.fromCharCode(this.#bytes[this.at] as number);
  }

  /** Any value; bulk strings as Buffers. */
  read(): Value {
    const type = this.type;
    switch (type) {
      case '$':
        return this.#areTexts ? this.#text() : this.#bulk();
      case '=':
        return this.#bulk();
      case '!':
        return readError((this.#bulk() ?? Buffer.alloc(0)).toString());
      case '*':
      case '~':
      case '>': {
        const size = this.number();
        if (size < 0) return null;
        const values = Array.from({ length: size }, () => this.read());
        return type === '>' ? new Push(values) : values;
      }
      case '%': {
        const map = new Map<string, Value>();
        const size = this.number();
        for (let i = 0; i < size; i++) map.set(this.#readKey(i), this.read());
        return map;
      }
      case ':':
        return this.number();
      case '-':
        return readError(this.#line());
      case '_':
        this.#line();
        return null;
      default:
        return new Simple(this.#line());
    }
  }

  /** The key number `i` of a map. Maps in an answer have the same keys most often. */
  #readKey(i: number): string {
    const known = this.#keys[i];
    if (known !== undefined && this.#isNext(known.bytes)) {
      this.at += known.bytes.length;
      return known.text;
    }
    const start = this.at;
    const text = String(this.read());
    this.#keys[i] = { text, bytes: this.#bytes.subarray(start, this.at) };
    return text;
  }

  #isNext(bytes: Buffer): boolean {
    for (let i = 0; i < bytes.length; i++) if (bytes[i] !== this.#bytes[this.at + i]) return false;
    return true;
  }

  /** Any value; bulk strings as text. */
  readTexts(): Value {
    this.#areTexts = true;
    try {
      return this.read();
    } finally {
      this.#areTexts = false;
    }
  }

  /** Whether the next value is nil (of RESP 3). */
  get isNil(): boolean {
    return this.type === '_';
  }

  /** The number of values in the array that begins here. @throws MqError PROTOCOL when none does */
  size(): number {
    this.#expect(ARRAY);
    return this.number();
  }

  /** @throws MqError PROTOCOL when the next value is no integer */
  integer(): number {
    this.#expect(INTEGER);
    return this.number();
  }

  /** An integer, or the number in a header: the size of an array, the length of a bulk string. */
  number(): number {
    // Byte by byte: a request has a dozen of them, and calls out of JavaScript cost more.
    const bytes = this.#bytes;
    let at = this.at + 1;
    const isNegative = bytes[at] === MINUS;
    if (isNegative) at += 1;
    let number = 0;
    for (let byte = bytes[at] as number; byte !== CR; byte = bytes[++at] as number)
      number = number * 10 + (byte - ZERO);
    this.at = at + 2;
    return isNegative ? -number : number;
  }

  /** A bulk string's bytes; null for nil. @throws MqError PROTOCOL when the next value is none */
  bulk(): Buffer | null {
    this.#expect(BULK);
    return this.#bulk();
  }

  #bulk(): Buffer | null {
    const length = this.number();
    if (length < 0) return null;
    return this.#bytes.subarray(this.at, this.#skip(length));
  }

  /** A bulk string, not nil, as text. @throws MqError PROTOCOL when the next value is none */
  text(): string {
    this.#expect(BULK);
    return this.#text() ?? '';
  }

  #text(): string | null {
    const length = this.number();
    return length < 0 ? null : this.#bytes.toString('utf8', this.at, this.#skip(length));
  }

  /** All bytes that are left, as `count` packed messages. */
  rest(count: number): Packed {
    return { count, bytes: this.#bytes.subarray(this.at) };
  }

  #expect(type: number): void {
    if (this.#bytes[this.at] !== type) throw notUnderstood();
  }

  /** Skips a bulk string. @returns the end of its bytes */
  #skip(length: number): number {
    const end = this.at + length;
    this.at = end + 2;
    return end;
  }

  #line(): string {
    const start = this.at + 1;
    const end = this.#bytes.indexOf(0x0a, start);
    this.at = end + 1;
    return this.#bytes.toString('utf8', start, end - 1);
  }
}

/** `CODE [stored] text`, as written by `encode`. */
export function readError(line: string): MqError {
  const [, code = '', stored, text = ''] = /^(\S+) ?(\d+ )?(.*)$/s.exec(line) ?? [];
  if (!Object.hasOwn(EXIT_STATUS, code)) return new MqError('PROTOCOL', `${TEXTS.answered}${line}`);
  return new MqError(code as Code, text, stored === undefined ? {} : { stored: Number(stored) });
}

/** The error for an answer of an unexpected form. */
export function notUnderstood(): MqError {
  return new MqError('PROTOCOL', TEXTS.notUnderstood);
}
