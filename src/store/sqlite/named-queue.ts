import type { StoredQueue } from './stored-queue.ts';
import type { StoredQueues } from './stored-queues.ts';

/** A queue as a step names it that is done in parts: between two of them it may have got another name. */
export class NamedQueue {
  readonly #name: string;
  readonly #queues: StoredQueues;
  #id: number | undefined;

  constructor(name: string, queues: StoredQueues) {
    this.#name = name;
    this.#queues = queues;
  }

  /** The queue at this part; undefined: it has gone. */
  get queue(): StoredQueue | undefined {
    const known = this.#id === undefined ? undefined : this.#queues.withId(this.#id);
    const queue = known ?? this.#queues.find(this.#name);
    this.#id = queue?.row.id;
    return queue;
  }

  /** Its name at this part. */
  get name(): string {
    return this.queue?.row.name ?? this.#name;
  }
}
