import { MqError } from '../../errors.ts';
import type { Once } from '../../once.ts';
import { othersTurn } from '../../others-turn.ts';
import type { Acted } from '../acted.ts';
import { closed, leaseToken, noRoomFor } from '../rules.ts';
import { DELAYED, HELD, LEASED, WAITING } from './batch.ts';
import type { LongSteps, StepProgress } from './long-steps.ts';
import { MOVED } from './move.ts';
import { NamedQueue } from './named-queue.ts';
import type { Reservations } from './reservations.ts';
import type { Steps, StepsContext } from './steps.ts';
import type { StoreFile } from './store-file.ts';
import type { StoredQueue } from './stored-queue.ts';
import { aTurn } from './turn.ts';

/** Ids that are looked at before the first part at a time. */
const SOME_IDS = 500;

/** Acts on single messages, each in parts. */
export class Acts {
  readonly #file: StoreFile;
  readonly #reservations: Reservations;
  readonly #long: LongSteps;
  readonly #context: StepsContext;
  readonly #steps: Steps;

  constructor(
    file: StoreFile,
    reservations: Reservations,
    long: LongSteps,
    context: StepsContext,
    steps: Steps,
  ) {
    this.#file = file;
    this.#reservations = reservations;
    this.#long = long;
    this.#context = context;
    this.#steps = steps;
  }

  /** @see Store.retry */
  retry(name: string, ids: readonly number[] | undefined, once?: Once): Promise<Acted> {
    const { queues } = this.#context;
    if (ids) return this.#onEach(name, ids, once, (queue, id) => this.#steps.retry(queue, id, true), MOVED);
    const begin = () => {
      queues.get(name);
      return { answer: 0, position: this.#context.ids.next };
    };
    const named = new NamedQueue(name, queues);
    return this.#long.act(once, begin, (progress) => this.#retrySome(named, progress), MOVED);
  }

  /** @see Store.drop */
  async drop(name: string, ids: readonly number[], once?: Once): Promise<Acted> {
    const leases: string[] = [];
    const acted = await this.#onEach(name, ids, once, (queue, id) => {
      const lease = this.#context.tables.message.find(id)?.lease ?? null;
      if (queue.finish([{ first: id, last: id }], [WAITING, DELAYED, LEASED, HELD]).count === 0) return false;
      if (lease !== null) leases.push(leaseToken(id, lease));
      return true;
    });
    this.#reservations.settledLeases(leases);
    return acted;
  }

  /** @see Store.moveIds */
  async moveIds(from: string, to: string, ids: readonly number[], once?: Once): Promise<Acted> {
    if (!(await this.#file.read(() => once && this.#context.tables.client.answer(once))))
      await this.#checkRoom(from, to, ids);
    const target = new NamedQueue(to, this.#context.queues);
    let moved = 0;
    try {
      return await this.#onEach(
        from,
        ids,
        once,
        (source, id, answer) => {
          moved = answer;
          return this.#steps.moveOne(source, target.name, id);
        },
        MOVED,
      );
    } catch (error) {
      throw moved > 0 && error instanceof MqError ? error.withStored(moved) : error;
    }
  }

  /** Acts on each of the messages. @param act tells whether it could */
  #onEach(
    name: string,
    ids: readonly number[],
    once: Once | undefined,
    act: (queue: StoredQueue, id: number, answer: number) => boolean | { closed: string },
    room = 0,
  ): Promise<Acted> {
    const { queues } = this.#context;
    const all = [...new Set(ids)];
    const named = new NamedQueue(name, queues);
    const begin = () => {
      queues.get(name);
      return { answer: 0, position: 0 };
    };
    const part = ({ answer, position = 0, rest = { missing: [] } }: StepProgress): StepProgress => {
      const { queue } = named;
      const missing = [...rest.missing];
      let { closed } = rest;
      let sum = answer;
      let at = position;
      const isOver = aTurn(1);
      if (queue) queues.touch(queue);
      for (; at < all.length && (at === position || !isOver()); at++) {
        const id = all[at] as number;
        const done = queue ? act(queue, id, answer) : false;
        if (done === true) sum += 1;
        else if (done === false) missing.push(id);
        else closed = done.closed;
      }
      return { answer: sum, position: at < all.length ? at : undefined, rest: { missing, closed } };
    };
    return this.#long.act(once, begin, part, room);
  }

  /** A part of a retry of all that there is: first dead letters, then messages that are delayed because they failed. */
  #retrySome(named: NamedQueue, { answer, position, from, rest }: StepProgress): StepProgress {
    const { tables } = this.#context;
    const { queue } = named;
    if (queue === undefined || position === undefined) return { answer, position: undefined, rest };
    let { closed } = rest ?? {};
    let { priority: phase, first: after } = from ?? { priority: 0, first: 0 };
    let sum = answer;
    const isOver = aTurn(1);
    for (;;) {
      const ids =
        phase === 0
          ? tables.batch.deadLetters(queue.row.id, after, position)
          : tables.message.failed(queue.row.id, after, position);
      for (const id of ids) {
        const done = this.#steps.retry(queue, id, false);
        if (done === true) sum += 1;
        else if (done !== false) closed = done.closed;
        after = id;
        if (isOver())
          return {
            answer: sum,
            position,
            from: { priority: phase, first: after },
            rest: { missing: [], closed },
          };
      }
      if (ids.length > 0) continue;
      if (phase === 1) return { answer: sum, position: undefined, rest: { missing: [], closed } };
      [phase, after] = [1, 0];
    }
  }

  /** @throws MqError NOQUEUE, CLOSED, FULL: no room for those that wait */
  async #checkRoom(from: string, to: string, ids: readonly number[]): Promise<void> {
    let count = 0;
    for (let at = 0; at === 0 || at < ids.length; at += SOME_IDS) {
      await this.#file.read(() => {
        const { queues } = this.#context;
        const source = queues.get(from);
        const target = queues.find(to);
        if (target?.closed) throw closed(to);
        if (target === undefined || target === source || target.counts.room === Infinity) return;
        const some = new Set(ids.slice(at, at + SOME_IDS));
        for (const id of some) if (source.batches.find(id)?.stateOf(id) === WAITING) count += 1;
        if (count > target.counts.room) throw noRoomFor(count, to);
      });
      await othersTurn();
    }
  }
}
