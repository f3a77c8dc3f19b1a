import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** In bytes, as those below. A minor collection takes about a millisecond. */
const EVERY = 8 * 1024 * 1024;

/** When so much more is in use after a minor collection than after the last major one, another follows. */
const GROWTH = 8 * 1024 * 1024;

/** What has been released is collected after so many ms, and at once when it is so many bytes. */
const SOON = 500;
const MUCH = 32 * 1024 * 1024;

/** The objects that a request makes in passing, about. */
const REQUEST = 8 * 1024;

type Collect = (options: { type: 'minor' | 'major' }) => void;

/**
 * Has what requests and answers leave behind collected soon. V8 sees no need to: it lets more than
 * 100 MB of buffers gather, which are not in its heap, and as much in it, for the sake of speed that
 * gains nothing here.
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
    // So little is collected sooner by one thread than by several that have to be woken.
    setFlagsFromString('--no-parallel-scavenge');
    setFlagsFromString('--expose-gc');
    this.#collect = runInNewContext('gc') as Collect;
    this.#used = bytesInUse();
  }

  /**
   * So many bytes of requests have come, or an answer of so many bytes has gone.
   * @param requests how many, or one that is as much work as so many
   */
  passed(bytes: number, requests = 1): void {
    this.#bytes += bytes + requests * REQUEST;
    if (this.#bytes < EVERY) return;
    this.#bytes = 0;
    this.#collect({ type: 'minor' });
    if (bytesInUse() >= this.#used + GROWTH) this.#collectAll();
  }

  /** What took so many bytes is needed no longer: with nobody left to make more, it would stay. */
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
