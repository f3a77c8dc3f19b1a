/** Milliseconds between two looks at a queue, about: each time half as many to half as many again, at random. */
export const LOOK_AGAIN = 4000;

/**
 * Looks again, every few seconds, at queues that somebody waits on: the store's word that one has changed, or
 * that something is due, may come late or not at all. At random, so that many queues, and many daemons, do not look at once.
 */
export class LookAgain {
  readonly #look: (queue: string) => void;
  readonly #every: number;
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(look: (queue: string) => void, every: number) {
    this.#look = look;
    this.#every = every;
  }

  /** Somebody waits on the queue. */
  begin(queue: string): void {
    if (!this.#timers.has(queue)) this.#set(queue);
  }

  /** Nobody waits on the queue. */
  end(queue: string): void {
    const timer = this.#timers.get(queue);
    if (timer === undefined) return;
    clearTimeout(timer);
    this.#timers.delete(queue);
  }

  #set(queue: string): void {
    const look = () => {
      this.#set(queue);
      this.#look(queue);
    };
    this.#timers.set(queue, setTimeout(look, this.#every * (0.5 + Math.random())).unref());
  }
}
