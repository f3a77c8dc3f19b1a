import { MqError } from '../errors.ts';
import { type Packed, pieces, splitAt } from '../packed.ts';
import type { Range } from '../range.ts';
import { Ranges } from '../ranges.ts';
import { closed, full } from '../store/rules.ts';
import type { PutOptions, Store } from '../store/store.ts';
import { after } from '../timer.ts';
import type { LookAgain } from './look-again.ts';
import type { Owner } from './owner.ts';

/** Bytes. Larger puts are stored in parts, so that others have their turn between. */
const PART = 512 * 1024;

/** The messages that a put stored. */
export interface PutOutcome {
  stored: number;
  /** With `PutOptions.ids`: their ids. */
  ids: readonly Range[];
  /** With `PutOptions.ids`: the reason why the rest is not stored. */
  lacking?: MqError;
}

interface Putter {
  messages: Packed;
  options: PutOptions;
  /** The number of messages that were stored so far, and their ids where they are asked for. */
  stored: number;
  ids: Ranges;
  /** The reason why it waits no longer, or no longer than now. */
  givenUp: MqError | undefined;
  resolve: (put: PutOutcome) => void;
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
   * @throws MqError with `stored`, when it could not store all of them: FULL, CLOSED, INTERRUPTED, ...; where ids
   *   are asked for and any are stored, it is `PutOutcome.lacking` instead
   */
  put(
    queue: string,
    messages: Packed,
    options: PutOptions,
    timeout: number,
    owner: Owner,
  ): Promise<PutOutcome> {
    return new Promise((resolve, reject) => {
      const ids = new Ranges();
      const putter: Putter = { messages, options, stored: 0, ids, givenUp: undefined, resolve, reject };
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
    putter.resolve = (put) => {
      finish();
      resolve(put);
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
        const { stored, lacking, ids = [] } = await this.#store.put(queue, part, options);
        putter.stored += stored;
        for (const range of ids) putter.ids.add(range);
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
    const { stored, ids } = putter;
    if (stored === putter.messages.count) putter.resolve({ stored, ids: ids.all });
    else if (error instanceof MqError) this.refuse(putter, error).then(putter.resolve, putter.reject);
    else putter.reject(error);
  }

  /**
   * Answers a put that the store is not asked for any more. An earlier daemon may have stored it.
   * @throws MqError the error, with the number of messages that are stored; see `put`
   */
  async refuse(
    { messages, options, stored, ids }: Pick<Putter, 'messages' | 'options' | 'stored'> & { ids?: Ranges },
    error: MqError,
  ): Promise<PutOutcome> {
    const { client } = options;
    const before = client ? (await this.#store.stored(client.id)) - client.index : 0;
    const all = Math.min(messages.count, Math.max(stored, before));
    const told = options.ids && client ? await this.#store.idsOf(client.id, client.index) : (ids?.all ?? []);
    if (all === messages.count) return { stored: all, ids: told };
    if (options.ids && all > 0) return { stored: all, ids: told, lacking: error.withStored(all) };
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
