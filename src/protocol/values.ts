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

/** CR and LF would end the line early. */
function line(text: string): string {
  return text.replace(/[\r\n]+/g, ' ');
}
