import { MqError } from '../errors.ts';
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
  | Map<string, Value>
  | Fields;

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

/** A map by the properties of an object: one of many that are alike costs a tenth of a Map. */
export class Fields {
  readonly of: Readonly<Record<string, string | number | null>>;
  constructor(of: Fields['of']) {
    this.of = of;
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
  for (const value of values) writer.write(value);
  return writer.finish();
}

export function arrayHead(size: number): Buffer {
  return Buffer.from(`*${size}\r\n`);
}

/** Bytes that are gathered before they are copied. All writers share the place: one has ended when the next begins. */
const gathered = Buffer.allocUnsafeSlow(16 * 1024);

/** Bytes that a character of a string takes in UTF-8, at most. */
const WIDEST = 3;

class Writer {
  readonly #version: 2 | 3;
  readonly #chunks: (Buffer | Large)[] = [];
  /** Bytes of `gathered` in use. */
  #at = 0;

  constructor(version: 2 | 3) {
    this.#version = version;
  }

  finish(): (Buffer | Large)[] {
    this.#flush();
    const chunks = this.#chunks;
    if (chunks.length === 1 || !chunks.every((each) => Buffer.isBuffer(each))) return chunks;
    const size = chunks.reduce((sum, { length }) => sum + length, 0);
    return size <= COPIED * chunks.length ? [Buffer.concat(chunks, size)] : chunks;
  }

  write(value: Value): void {
    if (value === null) this.#text(this.#version === 3 ? '_\r\n' : '$-1\r\n');
    else if (typeof value === 'number') this.#head(':', value);
    else if (typeof value === 'string') this.#string(value);
    else if (Buffer.isBuffer(value)) this.#bulk(value);
    else if (value instanceof Simple) this.#text(`+${line(value.text)}\r\n`);
    else if (value instanceof MqError) this.#error(value);
    else if (value instanceof Push) this.#push(value);
    else if (value instanceof Map) this.#map(value);
    else if (value instanceof Fields) this.#fields(value);
    else if (Array.isArray(value)) this.#array(value);
    else if (value instanceof Bodies) this.#bodies(value);
    else this.#packed(value);
  }

  #string(text: string): void {
    this.#head('$', isAscii(text) ? text.length : Buffer.byteLength(text));
    this.#text(text);
    this.#text('\r\n');
  }

  #bulk(bytes: Buffer): void {
    this.#head('$', bytes.length);
    this.#flush();
    this.#chunks.push(bytes);
    this.#text('\r\n');
  }

  #bodies({ messages, form }: Bodies): void {
    const sum = (of: (each: Packed | Large) => number) => messages.reduce((all, each) => all + of(each), 0);
    if (form === 'array')
      this.#head(
        '*',
        sum(({ count }) => count),
      );
    if (form === 'packed') this.#head('$', sum(sizeOf));
    this.#flush();
    for (const each of messages) this.#chunks.push(isLarge(each) ? each : each.bytes);
    if (form === 'packed') this.#text('\r\n');
  }

  #packed({ count, bytes }: Packed): void {
    this.#head('*', count);
    this.#flush();
    this.#chunks.push(bytes);
  }

  /** The number after the code is part of the protocol: see PUT in mq-protocol(7). */
  #error(error: MqError): void {
    const stored = error.stored === undefined ? '' : `${error.stored} `;
    this.#text(`-${error.code} ${stored}${line(error.message)}\r\n`);
  }

  #array(values: Value[]): void {
    this.#head('*', values.length);
    for (const each of values) this.write(each);
  }

  #push({ values }: Push): void {
    this.#head(this.#version === 3 ? '>' : '*', values.length);
    for (const each of values) this.write(each);
  }

  #map(map: Map<string, Value>): void {
    this.#mapHead(map.size);
    for (const [key, each] of map) {
      this.#string(key);
      this.write(each);
    }
  }

  #fields({ of }: Fields): void {
    this.#mapHead(Object.keys(of).length);
    for (const key in of) {
      this.#string(key);
      this.write(of[key] as Value);
    }
  }

  #mapHead(size: number): void {
    if (this.#version === 3) this.#head('%', size);
    else this.#head('*', size * 2);
  }

  #head(type: string, size: number): void {
    this.#text(type);
    this.#text(`${size}`);
    this.#text('\r\n');
  }

  #text(text: string): void {
    const { length } = text;
    if (length * WIDEST > gathered.length - this.#at) {
      this.#flush();
      if (length * WIDEST > gathered.length) {
        this.#chunks.push(Buffer.from(text));
        return;
      }
    }
    let at = this.#at;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) {
        this.#at += gathered.write(text, this.#at);
        return;
      }
      gathered[at++] = code;
    }
    this.#at = at;
  }

  #flush(): void {
    if (this.#at === 0) return;
    this.#chunks.push(Buffer.from(gathered.subarray(0, this.#at)));
    this.#at = 0;
  }
}

/** A call of Buffer takes longer for the few characters that most texts have. */
function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

/** CR and LF would end the line early. */
function line(text: string): string {
  return text.replace(/[\r\n]+/g, ' ');
}
