import { closeSync, ftruncateSync, statSync, writeSync } from 'node:fs';
import { openOwn } from './reasons.ts';

/** Bytes of random data, more than a file system that compresses looks back for repeats. */
const CHUNK = 256 * 1024;

/** A file that keeps room on the disk: on a full disk, steps that free room need a little first. */
export class Reserve {
  readonly #path: string;
  #size: number;

  constructor(path: string) {
    this.#path = path;
    this.#size = sizeOf(path);
  }

  /** Bytes of the file. */
  get size(): number {
    return this.#size;
  }

  /** Makes the file that large, as far as there is room. */
  grow(size: number): void {
    if (size <= this.#size) return;
    this.#change((fd) => {
      // Zeros take up no room where the file system compresses.
      const chunk = new Uint32Array(CHUNK / 4).map(() => Math.random() * 2 ** 32);
      while (this.#size < size) {
        this.#size += writeSync(fd, chunk, 0, Math.min(chunk.byteLength, size - this.#size));
      }
    });
  }

  /** Gives up bytes of it, or all. @returns whether it had any */
  giveUp(bytes: number): boolean {
    const before = this.#size;
    if (before === 0) return false;
    this.#change((fd) => {
      const size = Math.max(0, before - bytes);
      ftruncateSync(fd, size);
      this.#size = size;
    });
    return this.#size < before;
  }

  #change(change: (fd: number) => void): void {
    try {
      const fd = openOwn('the reserve', this.#path, 'a');
      try {
        change(fd);
      } finally {
        closeSync(fd);
      }
    } catch {
      // The file stays as large as it could be made.
    }
  }
}

function sizeOf(path: string): number {
  try {
    const found = statSync(path);
    return found.isFile() ? found.size : 0;
  } catch {
    return 0;
  }
}
