import { now } from '../clock.ts';
import { MqError } from '../errors.ts';
import { TOKEN } from '../holder.ts';
import type { Packed } from '../packed.ts';
import type { Places } from '../paths.ts';
import type { Request } from '../protocol/requests.ts';
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
    const { deadline, ...target } = this.#target;
    const client = { id: this.#id, index };
    const question = (): Request => {
      const timeout = Math.max(0, Math.ceil(deadline - now()));
      return { verb: 'PUT', ...target, messages, timeout, client };
    };
    this.#line.request(question).then(
      () => {
        this.#bytes -= bytes;
        this.stored = index + messages.count;
        this.#wake();
      },
      (error) => this.#failed(error),
    );
    await this.#until(() => this.#bytes < WINDOW);
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
