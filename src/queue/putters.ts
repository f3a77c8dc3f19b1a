import { MqError } from '../errors.ts';
import { type Packed, splitAt } from '../packed.ts';
import type { PutOptions, Store } from '../store/store.ts';
import type { Consumer } from './consumer.ts';

interface Putter {
  messages: Packed;
  options: PutOptions;
  /** How many were stored so far. */
  stored: number;
  /** Why it is to wait no longer. */
  givenUp: MqError | undefined;
  resolve: (stored: number) => void;
  reject: (error: unknown) => void;
}

interface Line {
  putters: Putter[];
  /** The store is being asked; whoever comes meanwhile is asked for next. */
  busy: boolean;
  /** Something changed since the store was last asked. */
  again: boolean;
  full: boolean;
}

/** Those who put, in order of arrival for each queue: none overtakes another that waits for room. */
export class Putters {
  readonly #store: Store;
  readonly #lines = new Map<string, Line>();

  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * Puts all the messages, waiting at most `timeout` ms for room.
   * @returns how many messages are stored: all
   * @throws MqError with `stored`, when it could not store all of them: FULL, CLOSED, INTERRUPTED, ...
   */
  put(
    queue: string,
    messages: Packed,
    options: PutOptions,
    timeout: number,
    consumer: Consumer,
  ): Promise<number> {
    return new Promise((resolve, reject) => {
      const putter: Putter = { messages, options, stored: 0, givenUp: undefined, resolve, reject };
      if (timeout === 0) putter.givenUp = new MqError('FULL', `queue ${queue} is full`);
      else this.#limitWait(queue, putter, timeout, consumer);
      const line = this.#line(queue);
      line.putters.push(putter);
      this.wake(queue);
    });
  }

  /** Room may have come, or the end. */
  wake(queue: string): void {
    const line = this.#lines.get(queue);
    if (line === undefined) return;
    line.again = true;
    if (!line.busy) void this.#feed(queue, line);
  }

  /** Sends everybody away. */
  stop(error: MqError): void {
    for (const [queue, line] of this.#lines) {
      for (const putter of line.putters) putter.givenUp = error;
      this.wake(queue);
    }
  }

  #line(queue: string): Line {
    let line = this.#lines.get(queue);
    if (line === undefined) {
      line = { putters: [], busy: false, again: false, full: false };
      this.#lines.set(queue, line);
    }
    return line;
  }

  #limitWait(queue: string, putter: Putter, timeout: number, consumer: Consumer): void {
    const giveUp = (error: MqError) => {
      putter.givenUp = error;
      this.wake(queue);
    };
    const cancel = () => giveUp(new MqError('INTERRUPTED', 'the connection ended'));
    const timer =
      timeout === Infinity
        ? undefined
        : setTimeout(() => giveUp(new MqError('FULL', `queue ${queue} is full`)), timeout);
    consumer.onEnd(cancel);
    const { resolve, reject } = putter;
    const finish = () => {
      clearTimeout(timer);
      consumer.offEnd(cancel);
    };
    putter.resolve = (stored) => {
      finish();
      resolve(stored);
    };
    putter.reject = (error) => {
      finish();
      reject(error);
    };
  }

  async #feed(queue: string, line: Line): Promise<void> {
    line.busy = true;
    while (line.again) {
      line.again = false;
      await this.#offer(queue, line);
    }
    line.busy = false;
    if (line.putters.length === 0) this.#lines.delete(queue);
  }

  /**
   * Asks the store for all who wait at once, so that they share a commit; in a full queue only for
   * the first. The store takes them one after the other, so when one finds no room, no later one does.
   */
  async #offer(queue: string, line: Line): Promise<void> {
    const offered = line.full ? line.putters.slice(0, 1) : line.putters.slice();
    const results = await Promise.all(offered.map((putter) => this.#ask(queue, line, putter)));
    line.full = results.at(-1) === 'full';
    if (line.full) {
      for (const putter of line.putters.filter(({ givenUp }) => givenUp)) this.#leave(line, putter);
    } else if (line.putters.length > 0) line.again = true;
  }

  async #ask(queue: string, line: Line, putter: Putter): Promise<'full' | 'left'> {
    const [, rest] = splitAt(putter.messages, putter.stored);
    const { client, priority } = putter.options;
    const position = client && { id: client.id, index: client.index + putter.stored };
    try {
      const { stored, lacking } = await this.#store.put(queue, rest, { priority, client: position });
      putter.stored += stored;
      if (lacking === 'FULL') return 'full';
      this.#leave(line, putter, lacking && new MqError('CLOSED', `queue ${queue} is closed`));
    } catch (error) {
      this.#leave(line, putter, error);
    }
    return 'left';
  }

  /** The putter is done with: it stored everything, was refused, or has given up. */
  #leave(line: Line, putter: Putter, error: unknown = putter.givenUp): void {
    line.putters.splice(line.putters.indexOf(putter), 1);
    if (putter.stored === putter.messages.count) putter.resolve(putter.stored);
    else putter.reject(error instanceof MqError ? withStored(error, putter.stored) : error);
  }
}

function withStored(error: MqError, stored: number): MqError {
  return new MqError(error.code, error.message, { cause: error.cause, stored });
}
