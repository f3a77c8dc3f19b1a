import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** In bytes. A collection takes some milliseconds at most, so of the time to move these about 2 %. */
const EVERY = 8 * 1024 * 1024;

/** The objects that a request makes in passing, about, in bytes. */
const REQUEST = 16 * 1024;

type Collect = (options: { type: 'minor' | 'major' }) => void;

/**
 * Has what requests and answers leave behind collected soon. V8 sees no need to: it lets more than
 * 100 MB of buffers gather, which are not in its heap, and as much in it, for the sake of speed that
 * gains nothing here.
 */
export class Garbage {
  readonly #collect: Collect;
  #bytes = 0;
  #isMajorNext = false;

  constructor() {
    // The young generation stays at 1 MB; it would grow to 32.
    setFlagsFromString('--semi-space-growth-factor=1');
    setFlagsFromString('--expose-gc');
    this.#collect = runInNewContext('gc') as Collect;
  }

  /** So many bytes of requests have come, or an answer of so many bytes has gone. */
  passed(bytes: number): void {
    this.#bytes += bytes + REQUEST;
    if (this.#bytes < EVERY) return;
    this.#bytes = 0;
    this.#collect({ type: this.#isMajorNext ? 'major' : 'minor' });
    this.#isMajorNext = !this.#isMajorNext;
  }
}
