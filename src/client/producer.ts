import { now } from '../clock.ts';
import { MqError } from '../errors.ts';
import { Fifo } from '../fifo.ts';
import type { Packed } from '../packed.ts';
import type { Places } from '../paths.ts';
import { connector } from './connect.ts';
import type { Connection } from './connection.ts';

/** So many bytes are sent ahead of the daemon's answers: it has work while it waits for a sync, and for the next. */
const WINDOW = 4 * 1024 * 1024;

/** What a frame costs besides its bytes, about: a slow producer sends a line in each. */
const FRAME_BYTES = 1024;

interface Frame {
  messages: Packed;
  /** How many messages went before. */
  index: number;
}

export interface PutTarget {
  queue: string;
  priority: number;
  /** When to give up, on the clock of now(); Infinity: never. */
  deadline: number;
  /** In ms; see PUT of mq-protocol(7), as for `key`. */
  delay?: number | undefined;
  ttl?: number | undefined;
  key?: string | undefined;
}

/**
 * Puts a stream of messages. What had no answer when the daemon died is sent to the next one, which
 * knows from the client's id and the messages' positions what it has already.
 */
export class Producer {
  /** How many messages are safe. */
  stored = 0;
  readonly #id = `${process.pid}.${Date.now()}.${process.hrtime.bigint()}.${Math.random()}`;
  readonly #target: PutTarget;
  readonly #reconnect: () => Promise<Connection>;
  #connection: Connection;
  #sent = 0;
  /** Sent and not answered. */
  readonly #frames = new Fifo<Frame>();
  #bytes = 0;
  #error: unknown;
  #ending = false;
  #resuming = false;
  /** Called when something cannot be stored; `send` and `finish` throw what it was. */
  onError: () => void = () => {};
  /** Wakes whoever waits for answers. */
  #wake: () => void = () => {};

  static async open(places: Places, start: boolean, target: PutTarget): Promise<Producer> {
    const connect = connector(places, start);
    return new Producer(await connect(), connect, target);
  }

  private constructor(connection: Connection, reconnect: () => Promise<Connection>, target: PutTarget) {
    this.#connection = connection;
    this.#reconnect = reconnect;
    this.#target = target;
  }

  /** The longest message that the daemon takes, in bytes. */
  async maxMessage(): Promise<number> {
    for (;;) {
      try {
        return Number((await this.#connection.greeting).get('max_message'));
      } catch (error) {
        if (!isLoss(error)) throw error;
        this.#connection = await this.#reconnect();
      }
    }
  }

  /**
   * Sends messages; waits while too much is under way.
   * @throws MqError what kept this or an earlier message from being stored
   */
  async send(messages: Packed): Promise<void> {
    if (messages.count === 0) return;
    const frame = { messages, index: this.#sent };
    this.#sent += messages.count;
    this.#frames.push(frame);
    this.#bytes += messages.bytes.length + FRAME_BYTES;
    this.#request(frame);
    await this.#until(() => this.#bytes < WINDOW);
  }

  /**
   * Waits until everything is stored.
   * @throws MqError as `send`; `stored` has then the number of those that are
   */
  async finish(): Promise<void> {
    await this.#until(() => this.#frames.length === 0);
    this.#connection.destroy();
  }

  /** Waits for no room any more: what is under way is stored or refused at once. */
  interrupt(): void {
    this.#ending = true;
    this.#connection.finish();
  }

  #request({ messages, index }: Frame): void {
    const { deadline, ...target } = this.#target;
    const connection = this.#connection;
    const timeout = Math.max(0, Math.ceil(deadline - now()));
    const client = { id: this.#id, index };
    connection.request({ verb: 'PUT', ...target, messages, timeout, client }).then(
      () => this.#answered(),
      (error) => {
        // On an earlier connection it is no news: `#resume` sends the frame again.
        if (connection === this.#connection && !this.#resuming) this.#failed(error);
      },
    );
  }

  #answered(): void {
    const frame = this.#frames.shift() as Frame;
    this.#bytes -= frame.messages.bytes.length + FRAME_BYTES;
    this.stored = frame.index + frame.messages.count;
    this.#wake();
  }

  #failed(error: unknown): void {
    if (isLoss(error) && !this.#ending) {
      void this.#resume();
      return;
    }
    if (this.#error === undefined) {
      this.stored += (error instanceof MqError && error.stored) || 0;
      this.#error = error;
      this.onError();
    }
    this.#wake();
  }

  async #resume(): Promise<void> {
    this.#resuming = true;
    try {
      this.#connection = await this.#reconnect();
      this.#resuming = false;
      for (const frame of this.#frames) this.#request(frame);
      if (this.#ending) this.#connection.finish();
    } catch (error) {
      this.#failed(error);
    }
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

/** Whether the daemon died, and another can be asked. */
export function isLoss(error: unknown): boolean {
  return error instanceof MqError && (error.code === 'LOST' || error.code === 'OUTDATED');
}
