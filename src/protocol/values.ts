import { type Code, EXIT_STATUS, MqError } from '../errors.ts';
import { isLarge, type Large, type Packed, sizeOf } from '../packed.ts';

/**
 * Answers as data, and as the bytes of a RESP frame. A Packed stands for the array of its
 * messages, and is written as it is; so are Bodies, of which not all are in memory.
 */
export type Value =
  | null
  | number
  | string
  | Buffer
  | MqError
  | Simple
  | Push
  | Packed
  | Bodies
  | Value[]
  | Map<string, Value>;

/** A simple string, as in `+OK`. */
export class Simple {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** Bodies of messages: an array, the only one, or all of them packed in one bulk string. */
export class Bodies {
  readonly messages: readonly (Packed | Large)[];
  readonly form: 'array' | 'one' | 'packed';
  constructor(messages: readonly (Packed | Large)[], form: Bodies['form']) {
    this.messages = messages;
    this.form = form;
  }
}

/** A message of the daemon that nobody asked for (a push of RESP 3). */
export class Push {
  readonly values: Value[];
  constructor(values: Value[]) {
    this.values = values;
  }
}

export const OK = new Simple('OK');

/** Bytes. Smaller parts are copied, which costs less than a write for each. */
const COPIED = 4096;

/** Writes `value` as one frame: in one chunk, or with large parts of it uncopied. All of it is in memory. */
export function encode(value: Value, version: 2 | 3): Buffer[] {
  return encodeAll([value], version) as Buffer[];
}

/** Values one behind the other: the elements of an array, without its head. */
export function encodeAll(values: Iterable<Value>, version: 2 | 3): (Buffer | Large)[] {
  const writer = new Writer(version);
  for (const value of values) {
    writer.write(value);
    // A text of many pieces is expensive to keep.
    writer.flush();
  }
  return writer.finish();
}

export function arrayHead(size: number): Buffer {
  return Buffer.from(`*${size}\r\n`);
}

class Writer {
  readonly #version: 2 | 3;
  readonly #chunks: (Buffer | Large)[] = [];
  #text = '';

  constructor(version: 2 | 3) {
    this.#version = version;
  }

  finish(): (Buffer | Large)[] {
    this.flush();
    const chunks = this.#chunks;
    if (chunks.length === 1 || !chunks.every((each) => Buffer.isBuffer(each))) return chunks;
    const size = chunks.reduce((sum, { length }) => sum + length, 0);
    return size <= COPIED * chunks.length ? [Buffer.concat(chunks, size)] : chunks;
  }

  write(value: Value): void {
    if (value === null) this.#text += this.#version === 3 ? '_\r\n' : '$-1\r\n';
    else if (typeof value === 'number') this.#text += `:${value}\r\n`;
    else if (typeof value === 'string') this.#text += `$${Buffer.byteLength(value)}\r\n${value}\r\n`;
    else if (Buffer.isBuffer(value)) this.#bulk(value);
    else if (value instanceof Simple) this.#text += `+${line(value.text)}\r\n`;
    else if (value instanceof MqError) this.#error(value);
    else if (value instanceof Push) this.#push(value);
    else if (value instanceof Map) this.#map(value);
    else if (Array.isArray(value)) this.#array(value);
    else if (value instanceof Bodies) this.#bodies(value);
    else this.#packed(value);
  }

  #bulk(bytes: Buffer): void {
    this.#text += `$${bytes.length}\r\n`;
    this.flush();
    this.#chunks.push(bytes);
    this.#text = '\r\n';
  }

  #bodies({ messages, form }: Bodies): void {
    const sum = (of: (each: Packed | Large) => number) => messages.reduce((all, each) => all + of(each), 0);
    if (form === 'array') this.#text += `*${sum(({ count }) => count)}\r\n`;
    if (form === 'packed') this.#text += `$${sum(sizeOf)}\r\n`;
    this.flush();
    for (const each of messages) this.#chunks.push(isLarge(each) ? each : each.bytes);
    if (form === 'packed') this.#text = '\r\n';
  }

  #packed({ count, bytes }: Packed): void {
    this.#text += `*${count}\r\n`;
    this.flush();
    this.#chunks.push(bytes);
  }

  /** The number after the code is part of the protocol: see PUT in mq-protocol(7). */
  #error(error: MqError): void {
    const stored = error.stored === undefined ? '' : `${error.stored} `;
    this.#text += `-${error.code} ${stored}${line(error.message)}\r\n`;
  }

  #array(values: Value[]): void {
    this.#text += `*${values.length}\r\n`;
    for (const each of values) this.write(each);
  }

  #push({ values }: Push): void {
    this.#text += `${this.#version === 3 ? '>' : '*'}${values.length}\r\n`;
    for (const each of values) this.write(each);
  }

  #map(map: Map<string, Value>): void {
    this.#text += this.#version === 3 ? `%${map.size}\r\n` : `*${map.size * 2}\r\n`;
    for (const [key, each] of map) {
      this.write(key);
      this.write(each);
    }
  }

  flush(): void {
    if (this.#text !== '') this.#chunks.push(Buffer.from(this.#text));
    this.#text = '';
  }
}

/** The error for an answer of an unexpected form. */
export function notUnderstood(): MqError {
  return new MqError('PROTOCOL', "the daemon's answer is not understood");
}

const BULK = 0x24; // $
const ARRAY = 0x2a; // *
const INTEGER = 0x3a; // :
const MINUS = 0x2d;
const CR = 0x0d;
const ZERO = 0x30;

/** CR and LF would end the line early. */
function line(text: string): string {
  return text.replace(/[\r\n]+/g, ' ');
}

/**
 * Reads a complete frame from front to back, value by value.
 * The bytes come from a FrameScanner, so their form is known to be right.
 */
export class Reader {
  readonly #bytes: Buffer;
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
        for (let size = this.number(); size > 0; size--) map.set(String(this.read()), this.read());
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
    const length = this.number();
    return this.#bytes.toString('utf8', this.at, this.#skip(length));
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
  if (!Object.hasOwn(EXIT_STATUS, code)) return new MqError('PROTOCOL', `the daemon answered: ${line}`);
  return new MqError(code as Code, text, stored === undefined ? {} : { stored: Number(stored) });
}
