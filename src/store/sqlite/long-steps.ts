import type { MqError } from '../../errors.ts';
import type { Once } from '../../once.ts';
import { othersTurn } from '../../others-turn.ts';
import type { Acted } from '../acted.ts';
import { noLease } from '../rules.ts';
import type { StoreFile } from './store-file.ts';
import type { StoredQueue } from './stored-queue.ts';
import type { StoredQueues } from './stored-queues.ts';
import type { ClientTable } from './tables/client-table.ts';
import type { Answered, MessageRow, OrderKey } from './tables/table-rows.ts';
import { aTurn } from './turn.ts';

/** Leases from which on a step is done in parts. */
export const MANY_LEASES = 500;

/** The least leases that are settled in a turn. */
const SOME_LEASES = 50;

/** Leases that are compared with each other in a turn. */
const DISTINCT = 10_000;

/** The progress of a step that is done in parts. */
export interface StepProgress extends Answered {
  /** The next part, by the step's own count; undefined: it has happened. */
  position: number | undefined;
  /** The place to go on from, which can be found again. */
  from?: OrderKey | undefined;
}

/** Steps that are done in parts, with the steps of others between, and steps that take effect once. */
export class LongSteps {
  readonly #file: StoreFile;
  readonly #clients: ClientTable;
  readonly #queues: StoredQueues;

  constructor(file: StoreFile, queues: StoredQueues) {
    this.#file = file;
    this.#clients = file.tables.client;
    this.#queues = queues;
  }

  /** Runs a step of one part. */
  once(once: Once | undefined, run: () => number): Promise<number> {
    const begin = () => ({ answer: run(), position: undefined });
    return this.inParts(once, begin, (progress) => progress);
  }

  /**
   * Runs a long step.
   * @param begin checks the step. @returns the beginning of its first part
   * @param part does a part. @returns the progress of the step
   * @param room bytes of messages for which a part needs room, as a put does
   */
  async inParts(
    once: Once | undefined,
    begin: () => StepProgress,
    part: (progress: StepProgress) => StepProgress,
    room = 0,
  ): Promise<number> {
    return (await this.#run(once, begin, part, room)).answer;
  }

  /** Runs a long step on single messages, as `inParts` does. */
  async act(
    once: Once | undefined,
    begin: () => StepProgress,
    part: (progress: StepProgress) => StepProgress,
    room: number,
  ): Promise<Acted> {
    const { answer: count, rest } = await this.#run(once, begin, part, room);
    return { count, missing: [], ...rest };
  }

  async #run(
    once: Once | undefined,
    begin: () => StepProgress,
    part: (progress: StepProgress) => StepProgress,
    room: number,
  ): Promise<StepProgress> {
    let progress: StepProgress | undefined;
    do {
      const last = progress;
      const step = (noRoom?: MqError) => {
        // Somebody else may have asked for the same step meanwhile, and go on with it too.
        const said = once && this.#clients.answer(once);
        const known = said ? { ...said, from: last?.from } : last;
        if (known && known.position === undefined) return known;
        const place = known ?? begin();
        if (noRoom && place.position !== undefined) throw noRoom;
        const next = part(place);
        if (once) this.#clients.setAnswer(once, next, Date.now());
        return next;
      };
      progress = await (room > 0 ? this.#file.put(room, step) : this.#file.write(() => step()));
    } while (progress.position !== undefined);
    return progress;
  }

  /**
   * Runs a step with leases: with all of them, or none. Many leases are checked first, and the step is done in parts:
   * a lease that goes meanwhile does not keep the others from it.
   * @throws MqError NOLEASE
   */
  async withLeases(
    name: string,
    leases: readonly string[],
    once: Once | undefined,
    step: (queue: StoredQueue, messages: MessageRow[]) => number,
  ): Promise<number> {
    // Few are checked at once: steps happen in the order of the calls.
    const all = leases.length <= MANY_LEASES ? [...new Set(leases)] : await distinct(leases);
    if (all.length <= MANY_LEASES) {
      return this.once(once, () => {
        const queue = this.#queues.get(name);
        const messages = all.map((lease) => queue.leased(lease));
        this.#queues.touch(queue);
        return step(queue, messages);
      });
    }
    if (once === undefined || (await this.#file.read(() => this.#clients.answer(once))) === undefined)
      await this.#checkLeases(name, all);
    let missing: string | undefined;
    const part = ({ answer, position = 0 }: StepProgress): StepProgress => {
      const queue = this.#queues.get(name);
      this.#queues.touch(queue);
      const isOver = aTurn(1);
      let at = position;
      let sum = answer;
      do {
        const some = all.slice(at, at + SOME_LEASES);
        const messages = queue.findLeases(some);
        if (messages.length < some.length)
          missing ??= some.find((lease) => queue.findLease(lease) === undefined);
        sum += step(queue, messages);
        at += some.length;
      } while (at < all.length && !isOver());
      return { answer: sum, position: at < all.length ? at : undefined };
    };
    const answer = await this.inParts(once, () => ({ answer: 0, position: 0 }), part);
    if (missing === undefined) return answer;
    if (once) await this.#file.write(() => this.#clients.deleteAnswer(once));
    throw noLease(name, missing);
  }

  /** @throws MqError NOLEASE */
  async #checkLeases(name: string, leases: readonly string[]): Promise<void> {
    for (let at = 0; at < leases.length; at += MANY_LEASES) {
      await this.#file.read(() => {
        const queue = this.#queues.get(name);
        for (const lease of leases.slice(at, at + MANY_LEASES)) queue.leased(lease);
      });
      await othersTurn();
    }
  }
}

/** The leases, each once. Of many, some at a time: for a hundred thousand the others would wait too long. */
async function distinct(leases: readonly string[]): Promise<string[]> {
  const all = new Set<string>();
  for (const [i, lease] of leases.entries()) {
    if (i > 0 && i % DISTINCT === 0) await othersTurn();
    all.add(lease);
  }
  return [...all];
}
