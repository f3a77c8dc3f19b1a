import { now } from '../clock.ts';
import { MqError } from '../errors.ts';
import { TOKEN } from '../holder.ts';
import type { Packed } from '../packed.ts';
import type { Places } from '../paths.ts';
import { notUnderstood, Reader } from '../protocol/reader.ts';
import type { Request } from '../protocol/requests.ts';
import { parseRange } from '../protocol/verbs/row.ts';
import type { Range } from '../range.ts';
import { Line } from './line.ts';

/** Bytes sent ahead of the daemon's answers: enough work for it while it waits for a sync, and for the next. */
const WINDOW = 4 * 1024 * 1024;

/** Bytes that a frame costs besides its messages, about: a slow producer sends one line in each. */
const FRAME_BYTES = 1024;

export interface PutTarget {
  queue: string;
  priority: number;
  /** The time to give up, on the clock of now(); Infinity: never. */
  deadline: number;
  /** Milliseconds; see PUT of mq-protocol(7), as for `key`. */
  delay?: number | undefined;
  ttl?: number | undefined;
  key?: string | undefined;
  /**
   * Receives the ids of the messages as they are stored, and is waited for. One request is under way at a time then:
   * the daemon keeps the ids of the last one, for the case that it dies.
   */
  onIds?: ((ids: readonly Range[]) => Promise<void>) | undefined;
}

/**
 * Puts a stream of messages. Frames that had no answer when the daemon died are sent to the next one, which knows
 * from the client's id and the positions of messages which of them it has.
 */
export class Producer {
  /** The number of messages that are safe on disk. */
  stored = 0;
  readonly #id = `${TOKEN}.put`;
  readonly #target: PutTarget;
  readonly #line: Line;
  /** The number of messages that were sent, and the bytes of those that are not answered. */
  #sent = 0;
  #bytes = 0;
  #error: unknown;
  /** Called when messages cannot be stored; `send` and `finish` throw the reason. */
  onError: () => void = () => {};
  /** Wakes those that wait for answers. */
  #wake: () => void = () => {};

  static async open(places: Places, start: boolean, target: PutTarget): Promise<Producer> {
    return new Producer(await Line.open({ places, start, deadline: target.deadline }), target);
  }

  private constructor(line: Line, target: PutTarget) {
    this.#line = line;
    this.#target = target;
  }

  /** The longest message that the daemon takes, in bytes. */
  get maxMessage(): number {
    return Number(this.#line.greeting.get('max_message'));
  }

  /**
   * Sends messages; waits while too much is under way.
   * @throws MqError the reason why this or an earlier message was not stored
   */
  async send(messages: Packed): Promise<void> {
    if (messages.count === 0) return;
    const index = this.#sent;
    this.#sent += messages.count;
    const bytes = messages.bytes.length + FRAME_BYTES;
    this.#bytes += bytes;
    const { deadline, onIds, ...target } = this.#target;
    const client = { id: this.#id, index };
    const question = (): Request => {
      const timeout = Math.max(0, Math.ceil(deadline - now()));
      return { verb: 'PUT', ...target, messages, timeout, client, ids: onIds !== undefined };
    };
    const answered = async (frame: Buffer) => {
      const { ids, error } = onIds ? readIds(frame) : {};
      if (error === undefined) this.stored = index + messages.count;
      if (ids) await onIds?.(ids);
      if (error) throw error;
      this.#bytes -= bytes;
      this.#wake();
    };
    this.#line
      .request(question)
      .then(answered)
      .catch((error) => this.#failed(error));
    await this.#until(() => (onIds ? this.#bytes === 0 : this.#bytes < WINDOW));
  }

  /**
   * Waits until everything is stored.
   * @throws MqError as `send`, with `stored`: the number of messages that are stored
   */
  async finish(): Promise<void> {
    await this.#until(() => this.#bytes === 0);
    this.#line.destroy();
  }

  /** Ends the wait for room: messages under way are stored or refused at once. */
  interrupt(): void {
    this.#line.finish();
  }

  #failed(error: unknown): void {
    // Frames behind one that failed fail too.
    if (this.#error === undefined) {
      this.stored += (error instanceof MqError && error.stored) || 0;
      this.#error = error;
      this.onError();
    }
    this.#wake();
  }

  async #until(condition: () => boolean): Promise<void> {
    for (;;) {
      if (this.#error !== undefined) throw this.#error;
      if (condition()) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/**
 * Reads the answer to a PUT with IDS: the ids of the stored messages, and the reason why the others are not stored.
 * @throws MqError PROTOCOL
 */
function readIds(frame: Buffer): { ids?: Range[]; error?: MqError } {
  const answer = new Reader(frame).read();
  if (!Array.isArray(answer)) throw notUnderstood();
  const last = answer.at(-1);
  if (!(last instanceof MqError)) return { ids: answer.map((word) => parseRange(String(word))) };
  return { ids: answer.slice(0, -1).map((word) => parseRange(String(word))), error: last };
}
