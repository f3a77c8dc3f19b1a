import type { Socket } from 'node:net';
import { textOf } from '../errors.ts';
import { othersTurn } from '../others-turn.ts';
import type { Large } from '../packed.ts';
import { arrayHead, encode, encodeAll, Push, type Value } from '../protocol/values.ts';
import { log } from './log.ts';
import { Parts } from './parts.ts';

/** Called when the operating system has taken the last byte, or with an error when it has not. */
type Written = (error?: Error | null) => void;

/**
 * Writes answers and pushes to a connection. Answers that take more than one turn are written piece by piece, at the
 * pace of the reader; pushes wait for their end.
 */
export class AnswerWriter {
  /** RESP version of the answers. */
  version: 2 | 3 = 2;
  readonly #socket: Socket;
  readonly #account: (bytes: number) => void;
  #isWithin = false;
  readonly #pushes: Push[] = [];

  /** @param account told of the bytes of each write */
  constructor(socket: Socket, account: (bytes: number) => void) {
    this.#socket = socket;
    this.#account = account;
  }

  /** Writes one answer; to be called again only when that is done. */
  async write(value: Value | Parts, written?: Written): Promise<void> {
    if (value instanceof Parts) await this.#writeInParts(value, written);
    else await this.#writeAll(encodeAll([value], this.version), written);
  }

  /** Writes a message that nobody asked for. */
  push(words: string[]): void {
    const push = new Push(words);
    if (this.#isWithin) this.#pushes.push(push);
    else this.#write(encode(push, this.version));
  }

  async #writeInParts({ size, parts, before }: Parts, written?: Written): Promise<void> {
    await this.#within(written, async () => {
      if (before.length > 0)
        this.#write([arrayHead(before.length + 1), ...(encodeAll(before, this.version) as Buffer[])]);
      this.#write([arrayHead(size)]);
      for await (const part of parts) if (!(await this.#writeSlowly(encodeAll(part, this.version)))) return;
    });
  }

  async #writeAll(chunks: (Buffer | Large)[], written?: Written): Promise<void> {
    if (chunks.every((each) => Buffer.isBuffer(each))) this.#write(chunks, written);
    else await this.#within(written, async () => void (await this.#writeSlowly(chunks)));
  }

  /** Writes chunks, and piece by piece those that are not in memory. @returns whether the reader is still there */
  async #writeSlowly(chunks: (Buffer | Large)[]): Promise<boolean> {
    for (const chunk of chunks) {
      if (Buffer.isBuffer(chunk)) this.#write([chunk]);
      else {
        for await (const piece of chunk.pieces()) {
          this.#write([piece]);
          if (!(await this.#isDrained())) return false;
        }
      }
    }
    return this.#isDrained();
  }

  /** Writes an answer that takes more than one turn, and the pushes that came meanwhile behind it. */
  async #within(written: Written | undefined, write: () => Promise<void>): Promise<void> {
    this.#isWithin = true;
    try {
      await write();
    } catch (error) {
      // The answer has begun, and cannot be an error any more. A client that asks again gets one.
      log(`cannot answer to the end: ${textOf(error)}`);
      this.#socket.destroy();
    }
    this.#isWithin = false;
    if (written) this.#write([Buffer.alloc(0)], written);
    for (const push of this.#pushes.splice(0)) this.#write(encode(push, this.version));
  }

  /** Waits until the reader takes more and others have had their turn. @returns whether the reader is still there */
  async #isDrained(): Promise<boolean> {
    await othersTurn();
    const socket = this.#socket;
    if (socket.writableNeedDrain && !socket.destroyed) {
      await new Promise<void>((resolve) => {
        const go = () => {
          socket.off('drain', go).off('close', go);
          resolve();
        };
        socket.on('drain', go).on('close', go);
      });
    }
    return socket.writable;
  }

  #write(chunks: Buffer[], written?: Written): void {
    const socket = this.#socket;
    if (!socket.writable) {
      written?.(new Error('the connection ended'));
      return;
    }
    this.#account(chunks.reduce((sum, { length }) => sum + length, 0));
    const last = chunks.pop();
    if (last === undefined) return;
    if (chunks.length > 0) socket.cork();
    for (const chunk of chunks) socket.write(chunk);
    socket.write(last, written);
    if (chunks.length > 0) socket.uncork();
  }
}
