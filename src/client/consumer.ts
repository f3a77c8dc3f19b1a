import { now } from '../clock.ts';
import { MqError } from '../errors.ts';
import { Fifo } from '../fifo.ts';
import type { Packed } from '../packed.ts';
import type { Range, Request } from '../protocol/requests.ts';
import { notUnderstood, Reader } from '../protocol/values.ts';
import { Connector } from './connect.ts';
import { type Connection, isLoss } from './connection.ts';
import type { Caller } from './find-daemon.ts';

/** An answer of so many bytes is likely not to have brought all that waits: the next is asked for at once. */
const MANY = 32 * 1024;

/** So many answers are asked for ahead: one is on its way while the daemon makes the next. */
const AHEAD = 2;

/** Messages that follow each other, held for us: see `Run` of mq-protocol(7), GET. */
export interface Held {
  queue: string;
  id: number;
  step: 1 | -1;
  priority: number;
  putAt: number;
  /** Which attempt this is, from 1. */
  attempt: number;
  messages: Packed;
  /** With messages on lease: a token for each, and when they run out, in ms since 1970. */
  leases?: { tokens: string[]; until: number } | undefined;
}

interface Done {
  queue: string;
  ids: Range[];
  leases: string[];
}

/**
 * Takes messages, and says which of them are consumed. When the daemon dies, what was held is
 * waiting again; what was consumed without the daemon's answer is told to the next one before
 * anything is taken from it.
 *
 * With a lease, messages are leased; those that are said to be consumed stay so for the lease's time,
 * and the others are back when the consumer ends.
 */
export class Consumer {
  readonly #queues: string[];
  /** In ms. */
  readonly #lease: number | undefined;
  readonly #connector: Connector;
  #connection: Connection;
  /** The next one, from the moment on at which a daemon died. */
  #next: Promise<Connection> | undefined;
  /** Said and not answered: with a get, or by itself. */
  #unanswered: Done[] = [];
  /** Consumed, and to be said with the next get. */
  #unsaid: Done | undefined;
  #error: unknown;
  /** Asked for while what came before is written, with how many messages are asked for. */
  readonly #ahead = new Fifo<{ count: number; held: Promise<Held[] | undefined> }>();
  #ending = false;
  #hasFinished = false;
  /** Nothing is under way but a get that waits. */
  #waiting = false;
  /** What was said had no answer because the connection ended. */
  #lost = false;
  /** Fulfilled when all that was said is answered. */
  #answers: Promise<void> = Promise.resolve();
  /** The same, but for what was said last. */
  #answersBefore: Promise<void> = Promise.resolve();
  #isStopped = false;
  #onStopped: () => void = () => {};

  /** @param lease for how long to lease messages, in ms; without: they are taken for good */
  static async open(caller: Caller, queues: string[], lease?: number): Promise<Consumer> {
    const connector = new Connector(caller, true);
    return new Consumer(connector, await connector.connect(), queues, lease);
  }

  private constructor(
    connector: Connector,
    connection: Connection,
    queues: string[],
    lease: number | undefined,
  ) {
    this.#queues = queues;
    this.#lease = lease;
    this.#connector = connector;
    this.#connection = connection;
    this.#keep(connection);
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
        if (held && bytesOf(held) >= MANY) this.#askAhead(count, left);
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

  /** The first `count` of these messages are consumed. What goes wrong is thrown by the next `take` or `finish`. */
  done(held: Held[], count: number): void {
    if (count === 0) return;
    // No get came in between: there was one ahead.
    this.#sayUnsaid();
    this.#unsaid = firstOf(held, count);
    if (this.#lease !== undefined) this.#sayUnsaid();
  }

  /** Waits until everything that was consumed is known to be; gives back what is held otherwise. */
  async finish(): Promise<void> {
    this.#sayUnsaid();
    // What was said with a get is answered with it.
    await Promise.allSettled([...this.#ahead].map(({ held }) => held));
    while (this.#unanswered.length > 0 && !this.#error) {
      const answered = this.#answers;
      await answered;
      if (this.#lost) await this.#resume();
    }
    this.#hasFinished = true;
    this.#connection.destroy();
    if (this.#error) throw this.#error;
  }

  /** Waits for no message any more. */
  interrupt(): void {
    this.#ending = true;
    // The wait ends with the connection, and its answer says what became of all that was said.
    if (this.#waiting) this.#connection.finish();
  }

  /** Called when the daemon was stopped. */
  set onStopped(call: () => void) {
    this.#onStopped = call;
  }

  /** Undefined when nothing that was asked for ahead has come. */
  async #takeAhead(): Promise<Held[] | undefined> {
    for (;;) {
      const next = this.#ahead.shift();
      if (next === undefined) return undefined;
      const held = await next.held;
      if (held) return held;
    }
  }

  #askAhead(count: number, wanted: number): void {
    let left = wanted;
    for (const asked of this.#ahead) left -= asked.count;
    while (this.#ahead.length < AHEAD && left > 0) {
      const next = { count: Math.min(count, left), held: this.#get(0, Math.min(count, left)) };
      // It is awaited by a later `take`.
      next.held.catch(() => {});
      this.#ahead.push(next);
      left -= next.count;
    }
  }

  async #get(deadline: number, count: number): Promise<Held[] | undefined> {
    const timeout = Math.max(0, Math.ceil(deadline - now())) || 0;
    if (this.#ending) throw new MqError('INTERRUPTED', 'interrupted');
    const done = this.#unsaid;
    this.#unsaid = undefined;
    if (done) this.#unanswered.push(done);
    this.#waiting = timeout > 0;
    try {
      const { limit } = this.#connector;
      const request: Request = {
        verb: 'GET',
        queues: this.#queues,
        timeout,
        count,
        hold: true,
        lease: this.#lease,
        packed: true,
        done,
      };
      const frame = await this.#connection.request(request, { limit });
      this.#answered(done);
      return readRuns(new Reader(frame), this.#queues);
    } catch (error) {
      // Only the get failed: what was consumed is recorded.
      if (error instanceof MqError && (error.code === 'CLOSED' || error.code === 'INTERRUPTED'))
        this.#answered(done);
      else if (isLoss(error)) this.#lost = true;
      else if (done) this.#say(done);
      throw error;
    } finally {
      this.#waiting = false;
    }
  }

  #answered(done: Done | undefined): void {
    this.#unanswered = this.#unanswered.filter((each) => each !== done);
  }

  async #size(queue: string): Promise<number> {
    try {
      return Number(await this.#connection.ask({ verb: 'SIZE', queue }));
    } catch (error) {
      if (error instanceof MqError && error.code === 'NOQUEUE') return 0;
      throw error;
    }
  }

  #sayUnsaid(): void {
    const done = this.#unsaid;
    if (done === undefined) return;
    this.#unsaid = undefined;
    this.#unanswered.push(done);
    this.#answersBefore = this.#answers;
    this.#say(done);
  }

  #say(done: Done): void {
    this.#answers = this.#connection.request(this.#consumed(done), { limit: this.#connector.limit }).then(
      () => this.#answered(done),
      (error) => {
        if (isLoss(error)) this.#lost = true;
        else if (error instanceof MqError && (error.code === 'UNREACHABLE' || error.code === 'STOPPED'))
          this.#error ??= notKnown(error);
        // A lease that has run out has been printed all the same; whoever uses it is told.
        else if (!(error instanceof MqError && error.code === 'NOLEASE')) this.#error ??= error;
        else this.#answered(done);
      },
    );
  }

  #consumed({ queue, ids, leases }: Done): Request {
    if (this.#lease === undefined) return { verb: 'DONE', queue, ids, leases: [] };
    return { verb: 'EXTEND', queue, leases, duration: this.#lease, binding: 'free' };
  }

  async #resume(): Promise<void> {
    this.#ahead.clear();
    this.#lost = false;
    const next = this.#next ?? this.#connect();
    this.#next = undefined;
    try {
      this.#connection = await next;
    } catch (error) {
      // For good: nobody is left who could answer.
      this.#error ??= this.#unanswered.length > 0 && error instanceof MqError ? notKnown(error) : error;
      throw this.#error;
    }
    for (const done of this.#unanswered) this.#say(done);
  }

  async #connect(): Promise<Connection> {
    const connection = await this.#connector.connect();
    this.#keep(connection);
    return connection;
  }

  /**
   * Comes back to the next daemon at once when one dies: it keeps what was held here for 15 s only, where it
   * cannot see this process. What is to be said there is said when it is known, by `#resume`; that it is
   * stopped is heard at once.
   */
  #keep(connection: Connection): void {
    connection.onStopped = () => {
      this.#isStopped = true;
      this.#onStopped();
    };
    void connection.closed.then((end) => {
      if (this.#hasFinished || this.#ending || this.#isStopped || !isLoss(end)) return;
      this.#next = this.#connect();
      // Whoever resumes is told why there is none.
      this.#next.catch(() => {});
    });
  }
}

/** What was written, and not said to be, comes again. */
function notKnown(cause: MqError): MqError {
  const { message, advice } = cause;
  return new MqError('UNKNOWN', `${message}: what was printed may come again`, { cause, advice });
}

function bytesOf(held: Held[]): number {
  return held.reduce((sum, { messages }) => sum + messages.bytes.length, 0);
}

function sizeOf(held: Held[]): number {
  return held.reduce((sum, { messages }) => sum + messages.count, 0);
}

/**
 * What a GET of these queues brought, in packed runs (see mq-protocol(7)); undefined: nothing.
 * @throws MqError PROTOCOL
 */
export function readRuns(reader: Reader, queues: readonly string[]): Held[] | undefined {
  if (reader.isNil) return undefined;
  let runs = reader.size();
  let queue = queues[0] as string;
  if (queues.length > 1) {
    queue = reader.text();
    runs = reader.size();
  }
  return Array.from({ length: runs }, () => readRun(reader, queue));
}

function readRun(reader: Reader, queue: string): Held {
  const fields = reader.size();
  const [id, step, priority, putAt, attempt, count] = Array.from({ length: 6 }, () => reader.integer()) as [
    number,
    1 | -1,
    number,
    number,
    number,
    number,
  ];
  const bytes = reader.bulk();
  if (bytes === null) throw notUnderstood();
  const held: Held = { queue, id, step, priority, putAt, attempt, messages: { count, bytes } };
  if (fields > 7) {
    const until = reader.integer();
    held.leases = { until, tokens: Array.from({ length: reader.size() }, () => reader.text()) };
  }
  return held;
}

/** What the first `count` of the messages are known by. */
function firstOf(held: Held[], count: number): Done {
  const ids: Range[] = [];
  const tokens: string[] = [];
  let left = count;
  for (const { id, step, messages, leases } of held) {
    if (left === 0) break;
    const some = Math.min(left, messages.count);
    left -= some;
    tokens.push(...(leases?.tokens.slice(0, some) ?? []));
    const other = id + step * (some - 1);
    const range = { first: Math.min(id, other), last: Math.max(id, other) };
    const end = ids.at(-1);
    if (end && end.last + 1 === range.first) end.last = range.last;
    else ids.push(range);
  }
  return { queue: held[0]?.queue as string, ids, leases: tokens };
}
