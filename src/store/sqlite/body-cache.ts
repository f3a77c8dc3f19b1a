import type { Packed } from '../../packed.ts';

/** Bytes that are kept. */
const LIMIT = 4 * 1024 * 1024;

/** Bytes that a batch costs besides its messages, about. */
const ENTRY = 1024;

/** The messages of the batches used last, so that messages that were just put are not read back for a get that waits. */
export class BodyCache {
  readonly #cached = new Map<number, Packed>();
  #bytes = 0;

  get(first: number, load: () => Packed): Packed {
    const packed = this.#cached.get(first) ?? load();
    this.delete(first);
    this.set(first, packed);
    return packed;
  }

  set(first: number, packed: Packed): void {
    this.#cached.set(first, packed);
    this.#bytes += packed.bytes.length + ENTRY;
    if (this.#bytes <= LIMIT) return;
    for (const oldest of this.#cached.keys()) {
      if (this.#bytes <= LIMIT || oldest === first) break;
      this.delete(oldest);
    }
  }

  delete(first: number): void {
    const packed = this.#cached.get(first);
    if (packed === undefined) return;
    this.#bytes -= packed.bytes.length + ENTRY;
    this.#cached.delete(first);
  }
}
