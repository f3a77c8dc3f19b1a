import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Bytes between two minor collections; one takes about a millisecond. */
const EVERY = 8 * 1024 * 1024;

/** Bytes. Growth since the last major collection, found after a minor one, that makes another worth its time. */
const GROWTH = 8 * 1024 * 1024;

/** Milliseconds after which released memory is collected, and bytes of it that are collected at once. */
const SOON = 500;
const MUCH = 32 * 1024 * 1024;

/** Bytes of the objects that a request makes in passing, about. */
const REQUEST = 8 * 1024;

type Collect = (options: { type: 'minor' | 'major' }) => void;

/**
 * Early collection of what requests and answers leave behind. V8 by itself lets more than 100 MB of buffers
 * gather, which are not in its heap, and as much in the heap: for speed, which that does not bring here.
 *
 * Measured on two cores (Node 24; memory of the daemon in MB, its CPU in seconds):
 *
 *     step, one after the other              with this      without
 *     100,000 queues, a PUT into each        118   24.2     328   12.6
 *     3,000,000 lines put, and got           136    2.0     380    1.7
 *     3,000 times PUT and GET, in turn       136    3.6     381    4.2
 */
export class Garbage {
  readonly #collect: Collect;
  #bytes = 0;
  #used: number;
  /** Since the last major collection. */
  #released = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor() {
    // The young generation stays at 1 MB; it would grow to 32.
    setFlagsFromString('--semi-space-growth-factor=1');
    // One thread collects so little sooner than several that have to be woken.
    setFlagsFromString('--no-parallel-scavenge');
    setFlagsFromString('--expose-gc');
    this.#collect = runInNewContext('gc') as Collect;
    this.#used = bytesInUse();
  }

  /**
   * Accounts for bytes of requests that have come, or of an answer that has gone.
   * @param requests their number, or what one is worth
   */
  account(bytes: number, requests = 1): void {
    this.#bytes += bytes + requests * REQUEST;
    if (this.#bytes < EVERY) return;
    this.#bytes = 0;
    this.#collect({ type: 'minor' });
    if (bytesInUse() >= this.#used + GROWTH) this.#collectAll();
  }

  /** Accounts for memory that is needed no longer. It would stay, if no further request came. */
  released(bytes: number): void {
    this.#released += bytes;
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined;
        this.#collectAll();
      },
      this.#released < MUCH ? SOON : 0,
    ).unref();
  }

  #collectAll(): void {
    this.#collect({ type: 'major' });
    this.#used = bytesInUse();
    this.#released = 0;
  }
}

function bytesInUse(): number {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
}
