import { now } from '../clock.ts';

/** Milliseconds. As many messages are taken ahead as are likely to begin in this time, which is longer than a request takes. */
const AHEAD = 20;

/** Milliseconds after which a message that was taken ahead and has not begun goes back: others may be free for it. */
const STALE = 100;

/** Milliseconds within which what is to be asked goes to the daemon together, while all jobs are busy. */
const TOGETHER = 10;

/**
 * The schedule of `mq work`: how many messages are taken, which command begins next, and when the daemon
 * is asked. The states of a message:
 *
 *     waiting ── begins ──> running ── ended ──> settling ── over ──> (gone)
 *        └─ refused ──> running, until it is back with the daemon ──────┘
 *
 * - As many commands run as there are jobs.
 * - Up to twice as many messages have begun and are not over: their outputs may have to wait for room.
 * - Where Node starts commands, that stops this process for longer than all else that it does for a message. So one
 *   begins in each turn of the event loop, and the daemon is asked before that, to work meanwhile.
 * - The daemon is not asked while all jobs are busy and enough messages are waiting: a little later one request does
 *   for several.
 * - Messages are taken ahead of short commands, many with one request (`AHEAD`). None waits behind a long
 *   command while others could have it (`STALE`).
 */
export class Schedule<T> {
  readonly #jobs: number;
  readonly #perTurn: number;
  readonly #clock: () => number;
  /** Messages that are taken, each with the function that tells whether it may begin. */
  readonly #waiting = new Map<T, (may: boolean) => void>();
  readonly #running = new Set<T>();
  /** Messages that are running or settling. */
  readonly #begun = new Set<T>();
  #ahead = 0;
  /** Commands that ended since `#measuredAt`. */
  #ended = 0;
  #measuredAt: number;
  #askers: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isDue = false;
  #isStopped = false;
  #isPaused = false;

  /** @param perTurn how many commands begin in a turn of the event loop */
  constructor(jobs: number, clock = now, perTurn = 1) {
    this.#jobs = jobs;
    this.#clock = clock;
    this.#perTurn = perTurn;
    this.#measuredAt = clock();
  }

  /** The number of messages to take now; below 1: none. */
  wanted(): number {
    this.#measure();
    return this.#isPaused ? 0 : this.#free;
  }

  /** How many of the messages that are wanted are taken ahead: no job is free for them. */
  get ahead(): number {
    return Math.min(this.#ahead, this.#free);
  }

  /** Waits for the turn of a message that was taken. @returns whether it may begin; else it goes back */
  turn(message: T): Promise<boolean> {
    return new Promise((resolve) => {
      this.#waiting.set(message, resolve);
      this.#soon();
    });
  }

  /** Sends messages of one request back once they are stale. */
  taken(messages: readonly T[]): void {
    if (this.#ahead > 0) setTimeout(() => this.#refuse(messages), STALE).unref();
  }

  /** Sends those messages back that have not begun. */
  refuse(which: (message: T) => boolean): void {
    this.#refuse([...this.#waiting.keys()].filter(which));
  }

  /** The command has ended. */
  ended(message: T): void {
    this.#running.delete(message);
    this.#ended += 1;
  }

  /** The message is settled, or back. */
  over(message: T): void {
    this.#running.delete(message);
    this.#begun.delete(message);
    this.#soon();
  }

  /** Waits until the daemon may be asked. */
  mayAsk(): Promise<void> {
    this.#soon();
    return this.mayTake();
  }

  /** The same, for the taking of messages: only the end of a command makes room for more. */
  mayTake(): Promise<void> {
    return new Promise((resolve) => {
      this.#askers.push(resolve);
    });
  }

  /** Nothing begins any more: what is waiting goes back. */
  stop(): void {
    this.#isStopped = true;
    this.#soon();
  }

  /** While it is paused nothing begins either, and nothing is taken: what was taken goes back. */
  pause(isPaused: boolean): void {
    this.#isPaused = isPaused;
    this.#soon();
  }

  get #free(): number {
    const jobs = this.#jobs - this.#running.size - this.#waiting.size;
    return this.#ahead + Math.min(jobs, this.#room - this.#waiting.size);
  }

  /** The number of messages that can begin before one is over. */
  get #room(): number {
    return 2 * this.#jobs - this.#begun.size;
  }

  /** Whether the daemon is asked without delay. */
  get #mustAsk(): boolean {
    if (this.#free >= this.#waiting.size) return true;
    // There is no message for a command that could run, or it may not begin before another one is over.
    return this.#next === undefined && (this.#perTurn === 1 || this.#running.size < this.#jobs);
  }

  /** The message that can begin now. */
  get #next(): T | undefined {
    const canBegin = this.#running.size < this.#jobs && this.#room > 0;
    return canBegin ? this.#waiting.keys().next().value : undefined;
  }

  #measure(): void {
    const time = this.#clock() - this.#measuredAt;
    if (time < AHEAD) return;
    this.#ahead = Math.floor((this.#ended * AHEAD) / time);
    this.#ended = 0;
    this.#measuredAt += time;
  }

  #soon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      if (this.#mustAsk) this.#ask();
      else this.#timer ??= setTimeout(() => this.#ask(), TOGETHER);
    });
    setImmediate(() => {
      if (this.#isStopped || this.#isPaused) this.#refuse(this.#waiting.keys());
      for (let begun = 0; begun < this.#perTurn; begun++) {
        const next = this.#next;
        if (next === undefined) return;
        this.#admit(next, true);
      }
      this.#soon();
    });
  }

  #ask(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const ask of this.#askers.splice(0)) ask();
  }

  #refuse(messages: Iterable<T>): void {
    for (const message of messages) this.#admit(message, false);
  }

  #admit(message: T, may: boolean): void {
    const tell = this.#waiting.get(message);
    if (tell === undefined) return;
    this.#waiting.delete(message);
    this.#running.add(message);
    this.#begun.add(message);
    tell(may);
  }
}
