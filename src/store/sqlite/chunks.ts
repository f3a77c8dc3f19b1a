import { crc32 } from 'node:zlib';
import type { MqError } from '../../errors.ts';
import { othersTurn } from '../../others-turn.ts';
import type { Large, Packed } from '../../packed.ts';
import type { StoreFile } from './store-file.ts';
import type { BatchRow, Stored } from './tables/table-rows.ts';
import type { Tables } from './tables/tables.ts';
import { aTurn } from './turn.ts';

/** Bytes. Larger messages are stored in chunks: to write or read them at once takes too long and too much memory. */
export const LARGE = 1024 * 1024;

const CHUNK = 512 * 1024;

/**
 * Large messages, each in chunks that follow each other. They are stored, read and deleted chunk by chunk, with the
 * steps of others between. Chunks that no batch has, not yet or not any more, stand in the table `unused`, so that
 * they are deleted, be it by the next daemon.
 */
export class Chunks {
  readonly #tables: Tables;
  readonly #file: StoreFile;
  #next: number;
  /** Messages that are being stored or read, which are not deleted, by their first chunk: the number of uses. */
  readonly #busy = new Map<number, number>();
  /** Messages of which every byte was found as it was put, and altered ones, by their first chunk. */
  readonly #whole = new Set<number>();
  readonly #altered = new Set<number>();
  /** Whether there may be chunks that no batch has any more. */
  areUnused = false;
  #deleting: Promise<void> | undefined;
  #isEnded = false;

  constructor(file: StoreFile) {
    this.#tables = file.tables;
    this.#file = file;
    this.#next = file.tables.chunk.next(CHUNK);
  }

  /** Stores a message; it is deleted again unless a batch is made of it before `release`. */
  async store({ bytes }: Packed): Promise<Stored> {
    const stored = { chunk: this.#next, size: bytes.length };
    this.#next += countOf(stored);
    this.#pin(stored);
    try {
      for (let at = 0; at < bytes.length; ) {
        at = await this.#file.write(() => {
          if (at === 0) this.#tables.chunk.insertUnused(stored);
          const i = at / CHUNK;
          const piece = bytes.subarray(at, at + CHUNK);
          this.#tables.chunk.insert(stored.chunk + i, piece, checksumOf(piece, i));
          return at + CHUNK;
        }, true);
      }
    } catch (error) {
      this.release([stored]);
      throw error;
    }
    this.#whole.add(stored.chunk);
    return stored;
  }

  /** Ends the storing of messages: those that no batch was made of are deleted. */
  release(these: Iterable<Stored>): void {
    for (const each of these) this.#unpin(each);
    void this.deleteUnused();
  }

  /** Whether it is known that bytes of this batch's message were altered. */
  isAltered({ chunk }: BatchRow): boolean {
    return chunk !== null && this.#altered.has(chunk);
  }

  /** @param damaged the error when bytes of it were altered */
  message({ chunk, size }: Stored, damaged: () => MqError): Large {
    return {
      count: 1,
      size,
      check: () => this.#check({ chunk, size }, damaged),
      pieces: () => this.#read({ chunk, size }, damaged),
    };
  }

  /** Deletes chunks that no batch has. */
  deleteUnused(): Promise<void> {
    this.#deleting ??= this.#deleteAll().finally(() => {
      this.#deleting = undefined;
    });
    return this.#deleting;
  }

  end(): void {
    this.#isEnded = true;
  }

  async #deleteAll(): Promise<void> {
    try {
      do {
        this.areUnused = false;
        if (this.#isEnded || this.#tables.chunk.unused().length === 0) return;
        while ((await this.#file.write(() => this.#deleteSome())) && !this.#isEnded);
      } while (this.areUnused);
    } catch {
      // On an error, such as a full disk, it is tried again with the next.
    }
  }

  /** @returns whether there may be more */
  #deleteSome(): boolean {
    const isOver = aTurn(1);
    for (const stored of this.#tables.chunk.unused()) {
      if (this.#busy.has(stored.chunk)) continue;
      const last = stored.chunk + countOf(stored) - 1;
      for (;;) {
        const found = this.#tables.chunk.findIn(stored.chunk, last);
        if (found === undefined) break;
        this.#tables.chunk.delete(found);
        if (isOver()) return true;
      }
      this.#tables.chunk.deleteUnused(stored.chunk);
      this.#whole.delete(stored.chunk);
      this.#altered.delete(stored.chunk);
    }
    return false;
  }

  async #check(stored: Stored, damaged: () => MqError): Promise<void> {
    if (this.#whole.has(stored.chunk)) return;
    if (!this.#altered.has(stored.chunk)) for await (const _ of this.#read(stored, damaged));
    if (this.#altered.has(stored.chunk)) throw damaged();
    this.#whole.add(stored.chunk);
  }

  async *#read(stored: Stored, damaged: () => MqError): AsyncGenerator<Buffer> {
    this.#pin(stored);
    try {
      for (let i = 0; i < countOf(stored); i++) {
        const piece = await this.#file.read(() => this.#tables.chunk.find(stored.chunk + i));
        const length = Math.min(CHUNK, stored.size - i * CHUNK);
        if (piece?.bytes.length !== length || checksumOf(piece.bytes, i) !== piece.checksum) {
          this.#altered.add(stored.chunk);
          throw damaged();
        }
        yield piece.bytes;
        await othersTurn();
      }
    } finally {
      this.#unpin(stored);
    }
  }

  #pin({ chunk }: Stored): void {
    this.#busy.set(chunk, (this.#busy.get(chunk) ?? 0) + 1);
  }

  #unpin({ chunk }: Stored): void {
    const left = (this.#busy.get(chunk) ?? 0) - 1;
    if (left > 0) this.#busy.set(chunk, left);
    else this.#busy.delete(chunk);
  }
}

/** CRC-32, begun with which of the message's chunks it is. */
function checksumOf(bytes: Buffer, i: number): number {
  return crc32(bytes, i);
}

function countOf({ size }: Stored): number {
  return Math.ceil(size / CHUNK);
}
