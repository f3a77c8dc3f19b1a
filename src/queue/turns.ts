const AT_ONCE: Promise<unknown> = Promise.resolve();

/** Turns at each queue: steps at one queue are run one at a time, in the order of the calls, beside those at others. */
export class Turns {
  /** Fulfilled when the last step at a queue is done. */
  readonly #last = new Map<string, Promise<unknown>>();

  /**
   * @param failed receives the error of the step
   * @returns a promise that is fulfilled when the step is done, or has failed
   */
  take(queue: string, step: () => Promise<void>, failed: (error: unknown) => void): Promise<unknown> {
    const turn = (this.#last.get(queue) ?? AT_ONCE)
      .then(step)
      .catch(failed)
      .then(() => {
        if (this.#last.get(queue) === turn) this.#last.delete(queue);
      });
    this.#last.set(queue, turn);
    return turn;
  }
}
