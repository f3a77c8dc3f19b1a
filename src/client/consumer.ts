import { now } from '../clock.ts';
import { MqError } from '../errors.ts';
import type { Packed } from '../packed.ts';
import type { Places } from '../paths.ts';
import type { Range } from '../protocol/requests.ts';
import { Reader } from '../protocol/values.ts';
import { connector } from './connect.ts';
import type { Connection } from './connection.ts';
import { isLoss } from './producer.ts';

/** Messages that follow each other, held for us: see `Run` of mq-protocol(7), GET. */
export interface Held {
  queue: string;
  id: number;
  step: 1 | -1;
  priority: number;
  putAt: number;
  messages: Packed;
}

interface Done {
  queue: string;
  ids: Range[];
}

/**
 * Takes messages, and says which of them are consumed. When the daemon dies, what was held is
 * waiting again; what was consumed without the daemon's answer is told to the next one before
 * anything is taken from it.
 */
export class Consumer {
  readonly #queues: string[];
  readonly #reconnect: () => Promise<Connection>;
  #connection: Connection;
  /** Said and not answered. */
  #unanswered: Done[] = [];
  #error: unknown;
  /** Asked for while what came before is written. */
  #ahead: Promise<Held[] | undefined> | undefined;
  #ending = false;
  /** Nothing is under way but a get that waits. */
  #waiting = false;
  /** What was said last had no answer because the connection ended. */
  #lost = false;
  /** Fulfilled when all that was said is answered. */
  #answers: Promise<void> = Promise.resolve();
  /** The same, but for what was said last. */
  #answersBefore: Promise<void> = Promise.resolve();
  #onStopped: () => void = () => {};

  static async open(places: Places, start: boolean, queues: string[]): Promise<Consumer> {
    const connect = connector(places, start, true);
    return new Consumer(await connect(), connect, queues);
  }

  private constructor(connection: Connection, reconnect: () => Promise<Connection>, queues: string[]) {
    this.#queues = queues;
    this.#connection = connection;
    this.#reconnect = reconnect;
  }

  /**
   * The next messages, at most `count`.
   * @param deadline when to give up, on the clock of now(); Infinity: never
   * @param wanted how many messages will be wanted in all: so what comes next is asked for already
   * @returns undefined when none came in time
   * @throws MqError CLOSED, STOPPED, INTERRUPTED, ...
   */
  async take(deadline: number, count: number, wanted: number): Promise<Held[] | undefined> {
    for (;;) {
      if (this.#ending) throw new MqError('INTERRUPTED', 'interrupted');
      try {
        // No more than one window is ever consumed and not recorded: the disk may be full.
        await this.#answersBefore;
        if (this.#error) throw this.#error;
        const early = await this.#takeAhead();
        const held = early ?? (await this.#get(deadline, Math.min(count, wanted)));
        const left = wanted - sizeOf(held ?? []);
        if (held && left > 0) this.#askAhead(Math.min(count, left));
        return held;
      } catch (error) {
        if (!isLoss(error) || this.#ending) throw error;
        await this.#resume();
      }
    }
  }

  /** How many messages wait in each of the queues; 0 where there is no such queue. */
  async sizes(): Promise<number[]> {
    for (;;) {
      try {
        return await Promise.all(this.#queues.map((queue) => this.#size(queue)));
      } catch (error) {
        if (!isLoss(error)) throw error;
        await this.#resume();
      }
    }
  }

  /** These messages are consumed. What goes wrong is thrown by the next `take` or `finish`. */
  done(queue: string, ids: Range[]): void {
    if (ids.length === 0) return;
    const done = { queue, ids };
    this.#unanswered.push(done);
    this.#answersBefore = this.#answers;
    this.#say(done);
  }

  /** Waits until everything that was consumed is known to be; gives back what is held otherwise. */
  async finish(): Promise<void> {
    while (this.#unanswered.length > 0 && !this.#error) {
      const answered = this.#answers;
      await answered;
      if (this.#lost) await this.#resume();
    }
    this.#connection.destroy();
    if (this.#error) throw this.#error;
  }

  /** Waits for no message any more. */
  interrupt(): void {
    this.#ending = true;
    // Nothing is owed to the daemon while it is waited for: the wait ends with the connection.
    if (this.#waiting) this.#connection.finish();
  }

  /** Called when the daemon was stopped. */
  set onStopped(call: () => void) {
    this.#onStopped = call;
    this.#connection.onStopped = call;
  }

  async #takeAhead(): Promise<Held[] | undefined> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    return ahead;
  }

  #askAhead(count: number): void {
    this.#ahead = this.#get(0, count);
    // It is awaited by the next `take`.
    this.#ahead.catch(() => {});
  }

  async #get(deadline: number, count: number): Promise<Held[] | undefined> {
    const timeout = Math.max(0, Math.ceil(deadline - now())) || 0;
    if (this.#ending) throw new MqError('INTERRUPTED', 'interrupted');
    this.#waiting = timeout > 0;
    try {
      const frame = await this.#connection.request({
        verb: 'GET',
        queues: this.#queues,
        timeout,
        count,
        hold: true,
      });
      return this.#read(new Reader(frame));
    } finally {
      this.#waiting = false;
    }
  }

  #read(reader: Reader): Held[] | undefined {
    if (reader.type !== '*') return undefined;
    let runs = reader.number();
    let queue = this.#queues[0] as string;
    if (this.#queues.length > 1) {
      queue = String(reader.bulk());
      runs = reader.number();
    }
    return Array.from({ length: runs }, () => {
      reader.number();
      const [id, step, priority, putAt] = [
        reader.number(),
        reader.number(),
        reader.number(),
        reader.number(),
      ];
      return { queue, id, step: step as 1 | -1, priority, putAt, messages: reader.packed() } as Held;
    });
  }

  async #size(queue: string): Promise<number> {
    try {
      return Number(await this.#connection.ask({ verb: 'SIZE', queue }));
    } catch (error) {
      if (error instanceof MqError && error.code === 'NOQUEUE') return 0;
      throw error;
    }
  }

  #say({ queue, ids }: Done): void {
    const said = this.#connection;
    this.#answers = said.request({ verb: 'DONE', queue, ids }).then(
      () => {
        if (said === this.#connection) this.#unanswered.shift();
      },
      (error) => {
        if (isLoss(error)) this.#lost = true;
        else this.#error ??= error;
      },
    );
  }

  async #resume(): Promise<void> {
    this.#ahead = undefined;
    this.#lost = false;
    this.#connection = await this.#reconnect();
    this.#connection.onStopped = this.#onStopped;
    for (const done of this.#unanswered) this.#say(done);
  }
}

function sizeOf(held: Held[]): number {
  return held.reduce((sum, { messages }) => sum + messages.count, 0);
}
