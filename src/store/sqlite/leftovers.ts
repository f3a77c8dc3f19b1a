import type { Chunks } from './chunks.ts';
import type { DueSteps } from './due.ts';
import type { StepProgress } from './long-steps.ts';
import type { Steps, StepsContext } from './steps.ts';
import type { StoreFile } from './store-file.ts';
import { aTurn } from './turn.ts';

/** Milliseconds for which the position of a client of a dead daemon is kept: it may still come back. */
const KEEP_CLIENTS = 7 * 86400e3;

/** Clears what earlier daemons left, and what removed queues leave. */
export class Leftovers {
  readonly #file: StoreFile;
  readonly #chunks: Chunks;
  readonly #context: StepsContext;
  readonly #steps: Steps;
  #opening: NodeJS.Immediate | undefined;
  #hasEnded = false;

  constructor(file: StoreFile, chunks: Chunks, context: StepsContext, steps: Steps) {
    this.#file = file;
    this.#chunks = chunks;
    this.#context = context;
    this.#steps = steps;
  }

  /** Opens the store: clears at once what nobody must see, and then the rest. */
  begin(due: DueSteps): void {
    const { announcer } = this.#context;
    this.#tidy(due);
    announcer.begin();
    this.#opening = setImmediate(() => {
      announcer.announce();
      void this.deleteRemoved();
    });
  }

  /** Deletes, part by part, the messages of queues that were removed. */
  async deleteRemoved(): Promise<void> {
    const { tables } = this.#context;
    const part = (id: number) => () => {
      if (tables.deleteBatches(id, aTurn())) tables.queue.deleteRemoved(id);
    };
    try {
      while (!this.#hasEnded) {
        const id = tables.queue.removed();
        if (id === undefined) break;
        await this.#file.write(part(id));
      }
      if (!this.#hasEnded) await this.#chunks.deleteUnused();
    } catch {
      // On an error, such as a full disk, the next removal or the next daemon goes on.
    }
  }

  end(): void {
    clearImmediate(this.#opening);
    this.#hasEnded = true;
  }

  /** On a full disk it is left to a later daemon. */
  #tidy(due: DueSteps): void {
    const { tables, announcer, clock, ids } = this.#context;
    const tidy = () => {
      tables.client.forgetBefore(Date.now() - KEEP_CLIENTS);
      tables.batch.forgetOrigins();
      // Held messages have come back.
      for (const name of tables.queue.toEmpty()) {
        let progress: StepProgress = { answer: 0, position: ids.next };
        while (progress.position !== undefined) progress = this.#steps.purge(name, progress);
      }
      announcer.dueAt(due.nextTime());
      // Nobody waits yet.
      announcer.forget();
    };
    if (!this.#file.tryAtOnce(tidy)) announcer.dueAt(clock.now());
  }
}
