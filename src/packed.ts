import { MqError } from './errors.ts';

/**
 * Messages packed in one Buffer: each as a RESP bulk string, one behind the other:
 *
 *     $5\r\nhello\r\n$0\r\n\r\n
 *
 * This form stands at the end of a PUT frame, in the store, and in the answer to a GET. So a batch goes unchanged
 * from the producer's frame to the disk and to the consumer's frame, and costs nothing for each message on the way.
 *
 * The length has no sign and no leading zeros (the frame scanner sees to that), so that there is one way only to
 * write a message.
 */
export interface Packed {
  readonly count: number;
  readonly bytes: Buffer;
}

/** One message of which not all bytes are in memory: it is too large for that. */
export interface Large {
  readonly count: 1;
  /** How many bytes it has as it is packed. */
  readonly size: number;
  /** @throws MqError DAMAGED when its bytes are not those that were put */
  check(): Promise<void>;
  /** Its bytes as it is packed, piece by piece. @throws MqError DAMAGED */
  pieces(): AsyncIterable<Buffer>;
}

export function isLarge(messages: Packed | Large): messages is Large {
  return 'pieces' in messages;
}

/** In bytes, as they are packed. */
export function sizeOf(messages: Packed | Large): number {
  return isLarge(messages) ? messages.size : messages.bytes.length;
}

export const NOTHING: Packed = { count: 0, bytes: Buffer.alloc(0) };

const DOLLAR = 0x24;
const CR = 0x0d;
const LF = 0x0a;
const ZERO = 0x30;

/** Bytes enough for the header and the end of one message. */
const OVERHEAD = 24;

/** Packs messages given one by one. */
export function pack(messages: readonly Uint8Array[]): Packed {
  const packer = new Packer();
  for (const message of messages) packer.add(message, 0, message.length);
  return packer.take();
}

/** The messages, one Buffer each (views, not copies). */
export function unpack({ count, bytes }: Packed): Buffer[] {
  const messages: Buffer[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const end = messageEnd(bytes, at);
    messages.push(bytes.subarray(bodyStart(bytes, at), end - 2));
    at = end;
  }
  return messages;
}

/**
 * The end of the message that starts at `at`, which is the start of the next one.
 * @throws MqError DAMAGED when no message starts there
 */
export function messageEnd(bytes: Buffer, at: number): number {
  if (bytes[at] !== DOLLAR) throw damaged();
  let length = 0;
  let i = at + 1;
  for (let byte = bytes[i] as number; byte !== CR; byte = bytes[++i] as number) {
    const digit = byte - ZERO;
    // NaN at the end of the bytes.
    if (!(digit >= 0 && digit <= 9)) throw damaged();
    length = length * 10 + digit;
  }
  const end = i + 2 + length + 2;
  if (end > bytes.length) throw damaged();
  return end;
}

/** The start of the body of the message that starts at `at`; only `messageEnd` checks that one does. */
export function bodyStart(bytes: Buffer, at: number): number {
  let i = at + 1;
  while (bytes[i] !== CR) i++;
  return i + 2;
}

/** The offsets of the messages, and behind them the end of the last one. */
export function offsetsOf({ count, bytes }: Packed): Uint32Array {
  const offsets = new Uint32Array(count + 1);
  let at = 0;
  for (let i = 0; i < count; i++) {
    offsets[i] = at;
    at = messageEnd(bytes, at);
  }
  offsets[count] = at;
  return offsets;
}

/** Whether the bytes are as many messages as `count` says, and nothing else. */
export function isWhole(packed: Packed): boolean {
  try {
    return offsetsOf(packed)[packed.count] === packed.bytes.length;
  } catch {
    return false;
  }
}

/** The first `count` messages, and the rest. */
export function splitAt(packed: Packed, count: number): [Packed, Packed] {
  if (count >= packed.count) return [packed, NOTHING];
  let at = 0;
  for (let i = 0; i < count; i++) at = messageEnd(packed.bytes, at);
  return [
    { count, bytes: packed.bytes.subarray(0, at) },
    { count: packed.count - count, bytes: packed.bytes.subarray(at) },
  ];
}

/** Pieces of about `size` bytes each, at least one message in each. */
export function* pieces(packed: Packed, size: number): Generator<Packed> {
  if (packed.bytes.length <= size) {
    if (packed.count > 0) yield packed;
    return;
  }
  let start = 0;
  let count = 0;
  let at = 0;
  for (let i = 0; i < packed.count; i++) {
    const end = messageEnd(packed.bytes, at);
    if (count > 0 && end - start > size) {
      yield { count, bytes: packed.bytes.subarray(start, at) };
      start = at;
      count = 0;
    }
    count += 1;
    at = end;
  }
  yield { count, bytes: packed.bytes.subarray(start, at) };
}

/** The parts, one behind the other. */
export function join(parts: readonly Packed[]): Packed {
  if (parts.length === 1) return parts[0] as Packed;
  return {
    count: parts.reduce((sum, part) => sum + part.count, 0),
    bytes: Buffer.concat(parts.map((part) => part.bytes)),
  };
}

/** Collects messages into one Buffer that grows as needed. */
export class Packer {
  #buffer: Buffer;
  #length = 0;
  #count = 0;

  /** @param size bytes to set aside at first */
  constructor(size = 256) {
    this.#buffer = Buffer.allocUnsafeSlow(size);
  }

  get count(): number {
    return this.#count;
  }

  get length(): number {
    return this.#length;
  }

  /** Adds bytes `start` to `end` of `source` as one message. */
  add(source: Uint8Array, start: number, end: number): void {
    const size = end - start;
    if (this.#length + size + OVERHEAD > this.#buffer.length) this.#grow(size + OVERHEAD);
    const buffer = this.#buffer;
    let at = writeLength(buffer, this.#length, DOLLAR, size);
    if (size < 64) {
      for (let i = start; i < end; i++) buffer[at++] = source[i] as number;
    } else {
      buffer.set(source.subarray(start, end), at);
      at += size;
    }
    buffer[at++] = CR;
    buffer[at++] = LF;
    this.#length = at;
    this.#count += 1;
  }

  /** The messages that were added since the last call. Their bytes are not touched again. */
  take(): Packed {
    const packed = { count: this.#count, bytes: this.#buffer.subarray(0, this.#length) };
    this.#buffer = Buffer.allocUnsafeSlow(this.#buffer.length);
    this.#length = 0;
    this.#count = 0;
    return packed;
  }

  #grow(more: number): void {
    const buffer = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#length + more));
    buffer.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = buffer;
  }
}

function damaged(): MqError {
  return new MqError('DAMAGED', 'packed messages are damaged');
}

function writeLength(buffer: Buffer, start: number, type: number, length: number): number {
  let at = start;
  buffer[at++] = type;
  if (length < 10) {
    buffer[at++] = ZERO + length;
  } else if (length < 100) {
    buffer[at++] = ZERO + ((length / 10) | 0);
    buffer[at++] = ZERO + (length % 10);
  } else {
    at += buffer.write(String(length), at, 'latin1');
  }
  buffer[at++] = CR;
  buffer[at++] = LF;
  return at;
}
