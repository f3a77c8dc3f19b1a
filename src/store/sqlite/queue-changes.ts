import { MqError } from '../../errors.ts';
import type { Once } from '../../once.ts';
import type { Settings } from '../../settings.ts';
import { busy, checkSettings, deadLetterOf, differences, exists, notEmpty } from '../rules.ts';
import type { Leftovers } from './leftovers.ts';
import type { LongSteps, StepProgress } from './long-steps.ts';
import type { MessageIds } from './message-ids.ts';
import { MOVED } from './move.ts';
import { NamedQueue } from './named-queue.ts';
import { CLOSED_NOW } from './queue-counts.ts';
import type { Steps, StepsContext } from './steps.ts';
import type { StoreFile } from './store-file.ts';
import type { StoredQueues } from './stored-queues.ts';
import { aTurn } from './turn.ts';

const DONE: StepProgress = { answer: 0, position: undefined };

/** Steps on queues as a whole. */
export class QueueChanges {
  readonly #file: StoreFile;
  readonly #queues: StoredQueues;
  readonly #ids: MessageIds;
  readonly #steps: Steps;
  readonly #long: LongSteps;
  readonly #leftovers: Leftovers;

  constructor(
    file: StoreFile,
    long: LongSteps,
    leftovers: Leftovers,
    { queues, ids }: StepsContext,
    steps: Steps,
  ) {
    this.#file = file;
    this.#queues = queues;
    this.#ids = ids;
    this.#steps = steps;
    this.#long = long;
    this.#leftovers = leftovers;
  }

  /** @see Store.move */
  async move(from: string, to: string, count = Infinity, once?: Once): Promise<number> {
    const [source, target] = [new NamedQueue(from, this.#queues), new NamedQueue(to, this.#queues)];
    let moved = 0;
    let most = count;
    const begin = () => {
      most = this.#steps.checkMove(from, to, count);
      return most === 0 ? DONE : { answer: 0, position: this.#ids.next };
    };
    const part = (progress: StepProgress) => {
      moved = progress.answer;
      return this.#steps.move(source.name, target.name, most, progress);
    };
    try {
      return await this.#long.inParts(once, begin, part, MOVED);
    } catch (error) {
      throw moved > 0 && error instanceof MqError ? error.withStored(moved) : error;
    }
  }

  /** @see Store.purge */
  purge(name: string, once?: Once): Promise<number> {
    const queue = new NamedQueue(name, this.#queues);
    const begin = () => {
      this.#queues.get(name);
      return { answer: 0, position: this.#ids.next };
    };
    return this.#long.inParts(once, begin, (progress) => this.#steps.purge(queue.name, progress));
  }

  /** @see Store.remove */
  async remove(name: string, force: boolean, once?: Once): Promise<void> {
    await this.#long.once(once, () => {
      const queue = this.#queues.get(name);
      if (queue.row.size > 0 && !force) throw notEmpty(name, queue.row.size);
      this.#queues.remove(queue, aTurn());
      return 0;
    });
    void this.#leftovers.deleteRemoved();
  }

  /** @see Store.rename */
  async rename(name: string, to: string, once?: Once): Promise<void> {
    await this.#long.once(once, () => {
      const queue = this.#queues.get(name);
      if (this.#queues.find(to)) throw exists(to);
      const taken = queue.row.size - queue.counts.pending;
      if (taken > 0) throw busy(name, taken);
      checkSettings(to, { dead_letter: deadLetterOf(name, queue.row) });
      this.#queues.rename(queue, to);
      return 0;
    });
  }

  /** @see Store.create */
  create(name: string, settings: Partial<Settings>): Promise<void> {
    const step = () => {
      checkSettings(name, settings);
      const queue = this.#queues.find(name);
      if (queue === undefined) this.#queues.make(name, settings);
      else differences(name, queue.row, settings);
    };
    return this.#file.write(step, true);
  }

  /** @see Store.configure */
  configure(name: string, settings: Partial<Settings>): Promise<void> {
    return this.#file.write(() => {
      checkSettings(name, settings);
      const queue = this.#queues.get(name);
      const { size, kind } = queue.row;
      if (settings.kind && settings.kind !== kind && size > 0) throw notEmpty(name, size);
      this.#queues.touch(queue);
      Object.assign(queue.row, settings);
      this.#file.tables.queue.updateSettings(queue.row);
      queue.batches.order.rewind();
    });
  }

  /** @see Store.close */
  async close(name: string, now: boolean): Promise<void> {
    const named = new NamedQueue(name, this.#queues);
    const begin = () => {
      const queue = this.#queues.get(name);
      this.#queues.touch(queue);
      queue.row.closed = now ? CLOSED_NOW : queue.row.closed || 1;
      return { answer: 0, position: this.#ids.next };
    };
    await this.#long.inParts(undefined, begin, (progress) =>
      now ? this.#steps.purge(named.name, progress) : DONE,
    );
  }

  /** @see Store.open */
  open(name: string): Promise<void> {
    return this.#file.write(() => {
      const queue = this.#queues.get(name);
      this.#queues.touch(queue);
      queue.row.closed = 0;
    });
  }

  /** @see Store.pause */
  pause(name: string, once?: Once): Promise<void> {
    return this.#setPaused(name, 1, once);
  }

  /** @see Store.resume */
  resume(name: string, once?: Once): Promise<void> {
    return this.#setPaused(name, 0, once);
  }

  async #setPaused(name: string, paused: 0 | 1, once?: Once): Promise<void> {
    await this.#long.once(once, () => {
      const queue = this.#queues.get(name);
      this.#queues.touch(queue);
      queue.row.paused = paused;
      return 0;
    });
  }
}
