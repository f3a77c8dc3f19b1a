import { MqError } from '../errors.ts';
import { type Packed, pieces, splitAt } from '../packed.ts';
import { closed, full } from '../store/rules.ts';
import type { PutOptions, Store } from '../store/store.ts';
import { after } from '../timer.ts';
import type { LookAgain } from './look-again.ts';
import type { Owner } from './owner.ts';

/** Bytes. Larger puts are stored in parts, so that others have their turn between. */
const PART = 512 * 1024;

interface Putter {
  messages: Packed;
  options: PutOptions;
  /** The number of messages that were stored so far. */
  stored: number;
  /** The reason why it waits no longer, or no longer than now. */
  givenUp: MqError | undefined;
  resolve: (stored: number) => void;
  reject: (error: unknown) => void;
}

interface PutterLine {
  putters: Set<Putter>;
  /** Puts that have given up, and leave if there is no room for them now. */
  leaving: Set<Putter>;
  /** Whether the store is being asked; puts that come meanwhile are next. */
  busy: boolean;
  /** Whether something has changed since the store was last asked. */
  again: boolean;
  /**
   * The number of puts for which the store is asked at once: one after the queue was full, and twice as many each
   * time that all of them found room.
   */
  width: number;
}

/** Puts, in order of arrival at each queue: none overtakes another that waits for room. */
export class Putters {
  readonly #store: Store;
  readonly #lines = new Map<string, PutterLine>();
  readonly #again: LookAgain;

  constructor(store: Store, lookAgain: (look: (queue: string) => void) => LookAgain) {
    this.#store = store;
    this.#again = lookAgain((queue) => this.wake(queue));
  }

  /**
   * Puts all the messages, waiting at most `timeout` ms for room.
   * @returns the number of messages, all of which are stored
   * @throws MqError with `stored`, when it could not store all of them: FULL, CLOSED, INTERRUPTED, ...
   */
  put(queue: string, messages: Packed, options: PutOptions, timeout: number, owner: Owner): Promise<number> {
    return new Promise((resolve, reject) => {
      const putter: Putter = { messages, options, stored: 0, givenUp: undefined, resolve, reject };
      const line = this.#line(queue);
      line.putters.add(putter);
      if (timeout === 0) giveUp(line, putter, full(queue));
      else this.#limitWait(queue, line, putter, timeout, owner);
      this.wake(queue);
    });
  }

  /** The queue has changed: room may have come, or the end. */
  wake(queue: string): void {
    const line = this.#lines.get(queue);
    if (line === undefined) return;
    line.again = true;
    if (!line.busy) void this.#feed(queue, line);
  }

  /** Ends all waits with this error. */
  stop(error: MqError): void {
    for (const [queue, line] of this.#lines) {
      for (const putter of line.putters) giveUp(line, putter, error);
      this.wake(queue);
    }
  }

  #line(queue: string): PutterLine {
    let line = this.#lines.get(queue);
    if (line === undefined) {
      line = { putters: new Set(), leaving: new Set(), busy: false, again: false, width: Infinity };
      this.#lines.set(queue, line);
    }
    return line;
  }

  #limitWait(queue: string, line: PutterLine, putter: Putter, timeout: number, owner: Owner): void {
    const leave = (error: MqError) => {
      giveUp(line, putter, error);
      this.wake(queue);
    };
    const cancel = () => leave(new MqError('INTERRUPTED', 'the connection ended'));
    const timer = timeout === Infinity ? undefined : after(timeout, () => leave(full(queue)));
    owner.onEnd(cancel);
    const { resolve, reject } = putter;
    const finish = () => {
      timer?.clear();
      owner.offEnd(cancel);
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

  async #feed(queue: string, line: PutterLine): Promise<void> {
    line.busy = true;
    while (line.again) {
      line.again = false;
      await this.#offer(queue, line);
    }
    line.busy = false;
    if (line.putters.size > 0) return this.#again.begin(queue);
    this.#lines.delete(queue);
    this.#again.end(queue);
  }

  /**
   * Asks the store for several puts at once, so that they share a commit. It takes them one after the other, so
   * that when one finds no room, no later one does.
   */
  async #offer(queue: string, line: PutterLine): Promise<void> {
    const offered = takeTogether(line.putters, line.width);
    const results = await Promise.all(offered.map((putter) => this.#ask(queue, line, putter)));
    if (results.at(-1) === 'full') {
      line.width = 1;
      for (const putter of line.leaving) this.#leave(line, putter);
    } else {
      line.width *= 2;
      if (line.putters.size > 0) line.again = true;
    }
  }

  async #ask(queue: string, line: PutterLine, putter: Putter): Promise<'full' | 'left'> {
    const { client } = putter.options;
    try {
      for (const part of partsOf(putter)) {
        const position = client && { id: client.id, index: client.index + putter.stored };
        const options = { ...putter.options, client: position };
        const { stored, lacking } = await this.#store.put(queue, part, options);
        putter.stored += stored;
        if (lacking === 'FULL') return 'full';
        if (lacking) throw closed(queue);
      }
      this.#leave(line, putter);
    } catch (error) {
      this.#leave(line, putter, error);
    }
    return 'left';
  }

  /** Removes a put that has stored everything, was refused, or has given up. */
  #leave(line: PutterLine, putter: Putter, error: unknown = putter.givenUp): void {
    line.putters.delete(putter);
    line.leaving.delete(putter);
    if (putter.stored === putter.messages.count) putter.resolve(putter.stored);
    else if (error instanceof MqError) this.refuse(putter, error).then(putter.resolve, putter.reject);
    else putter.reject(error);
  }

  /**
   * Answers a put that the store is not asked for any more. An earlier daemon may have stored it.
   * @returns the number of messages, all of which are stored
   * @throws MqError the error, with the number of messages that are stored
   */
  async refuse(
    { messages, options: { client }, stored }: Pick<Putter, 'messages' | 'options' | 'stored'>,
    error: MqError,
  ): Promise<number> {
    const before = client ? (await this.#store.stored(client.id)) - client.index : 0;
    const all = Math.min(messages.count, Math.max(stored, before));
    if (all === messages.count) return all;
    throw error.withStored(all);
  }
}

function giveUp(line: PutterLine, putter: Putter, error: MqError): void {
  if (!line.putters.has(putter)) return;
  putter.givenUp = error;
  line.leaving.add(putter);
}

/** The next puts, up to the first that is long: the store is asked for that one alone, because it is stored in parts. */
function takeTogether(putters: Iterable<Putter>, most: number): Putter[] {
  const together: Putter[] = [];
  for (const putter of putters) {
    if (together.length === most || (together.length > 0 && isLong(putter))) break;
    together.push(putter);
    if (isLong(putter)) break;
  }
  return together;
}

/** Whether a put is stored in parts; one with another step in it is not. */
function isLong({ messages, options }: Putter): boolean {
  return messages.count > 1 && messages.bytes.length > PART && options.done === undefined;
}

/** Messages that are not stored yet. */
function* partsOf(putter: Putter): Generator<Packed> {
  const [, rest] = splitAt(putter.messages, putter.stored);
  if (isLong(putter)) yield* pieces(rest, PART);
  else yield rest;
}
