import { MqError } from './errors.ts';
import { type Packed, Packer } from './packed.ts';

/** The form of messages in a stream: a byte ends each, or the whole stream is one. */
export type Framing = 'lines' | 'null' | 'whole';

export const NEWLINE = 0x0a;
export const NUL = 0x00;

/** The byte behind each message; undefined: none. */
export function separatorOf(framing: Framing): number | undefined {
  if (framing === 'whole') return undefined;
  return framing === 'null' ? NUL : NEWLINE;
}

/** Bytes that are searched here before Buffer.indexOf is called: a call costs as much as a short line. */
const NEAR = 64;

/** Cuts a stream into messages. */
export class Splitter {
  readonly #separator: number | undefined;
  readonly #limit: number;
  readonly #packer = new Packer(128 * 1024);
  /** The parts of a message whose end has not come. */
  #tail: Buffer[] = [];
  #tailLength = 0;

  /** @param limit bytes of the longest message */
  constructor(framing: Framing, limit: number) {
    this.#separator = separatorOf(framing);
    this.#limit = limit;
  }

  /**
   * The messages that end in this chunk.
   * @throws MqError TOOBIG
   */
  push(chunk: Buffer): Packed {
    let start = 0;
    if (this.#separator !== undefined) {
      let end = indexOf(chunk, this.#separator, 0);
      while (end !== -1) {
        if (this.#tailLength > 0) this.#addWithTail(chunk.subarray(start, end));
        else {
          this.#check(end - start);
          this.#packer.add(chunk, start, end);
        }
        start = end + 1;
        end = indexOf(chunk, this.#separator, start);
      }
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
    return this.#packer.take();
  }

  /** The last message, when nothing ended it. */
  finish(): Packed {
    if (this.#tailLength > 0 || this.#separator === undefined) this.#addWithTail(Buffer.alloc(0));
    return this.#packer.take();
  }

  /** The messages that were cut before an error. */
  take(): Packed {
    return this.#packer.take();
  }

  #keep(part: Buffer): void {
    this.#tail.push(part);
    this.#tailLength += part.length;
    this.#check(this.#tailLength);
  }

  #check(length: number): void {
    if (length <= this.#limit) return;
    throw new MqError('TOOBIG', `a message of more than ${this.#limit} bytes`, {
      advice: 'mq serve --max-message sets the limit.',
    });
  }

  #addWithTail(end: Buffer): void {
    if (end.length > 0) this.#keep(end);
    const message = Buffer.concat(this.#tail);
    this.#packer.add(message, 0, message.length);
    this.#tail = [];
    this.#tailLength = 0;
  }
}

function indexOf(chunk: Buffer, byte: number, start: number): number {
  const near = Math.min(start + NEAR, chunk.length);
  for (let at = start; at < near; at++) if (chunk[at] === byte) return at;
  return chunk.indexOf(byte, near);
}
