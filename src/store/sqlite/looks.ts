import { othersTurn } from '../../others-turn.ts';
import { sizeOf } from '../../packed.ts';
import type { Entry, LookLimit } from '../look.ts';
import { leaseToken } from '../rules.ts';
import { type Batch, DELAYED, GONE, isExpired, LEASED, WAITING } from './batch.ts';
import type { StepsContext } from './steps.ts';
import type { StoreClock } from './store-clock.ts';
import type { StoreFile } from './store-file.ts';
import type { StoredQueue } from './stored-queue.ts';
import type { StoredQueues } from './stored-queues.ts';
import type { Tables } from './tables/tables.ts';
import { aTurn } from './turn.ts';

/** Looks at the messages of a queue by their ids, in whatever state they are. */
export class Looks {
  readonly #file: StoreFile;
  readonly #tables: Tables;
  readonly #queues: StoredQueues;
  readonly #clock: StoreClock;

  constructor(file: StoreFile, { queues, clock }: StepsContext) {
    this.#file = file;
    this.#tables = file.tables;
    this.#queues = queues;
    this.#clock = clock;
  }

  /** @see Store.look */
  async look(name: string, look: LookLimit): Promise<Entry[]> {
    const all: Entry[] = [];
    const left = { ...look };
    for (;;) {
      const { entries, next } = await this.#file.read(() => this.#part(this.#queues.get(name), left));
      for (const entry of entries) {
        all.push(entry);
        left.count -= 1;
        left.bytes -= sizeOf(entry.run.messages);
      }
      if (next === undefined || left.count <= 0 || left.bytes <= 0) return all;
      left.from = next;
      await othersTurn();
    }
  }

  /** @returns messages, and the id to go on from; undefined: that was all */
  #part(queue: StoredQueue, look: LookLimit): { entries: Entry[]; next: number | undefined } {
    const { from, to = Number.MAX_SAFE_INTEGER, state } = look;
    const entries: Entry[] = [];
    const isOver = aTurn();
    let { count, bytes } = look;
    let next = from;
    for (;;) {
      const batch = this.#batchFrom(queue, next, state);
      if (batch === undefined || batch.row.first > to) return { entries, next: undefined };
      const last = Math.min(batch.last, to);
      for (let id = Math.max(next, batch.row.first); id <= last; id++) {
        const entry = this.#entry(queue, batch, id, state);
        if (entry === undefined) continue;
        entries.push(entry);
        count -= 1;
        bytes -= sizeOf(entry.run.messages);
        if (count <= 0 || bytes <= 0 || isOver()) return { entries, next: id + 1 };
      }
      next = batch.last + 1;
      if (isOver()) return { entries, next };
    }
  }

  /** The batch with this id, or the next one in which a message may be in this state. */
  #batchFrom(queue: StoredQueue, id: number, state: LookLimit['state']): Batch | undefined {
    const here = queue.batches.find(id);
    if (here) return here;
    const first = Math.min(
      this.#tables.firstOf(queue.row.id, id, state),
      state === 'leased' ? queue.batches.heldFrom(id) : Infinity,
    );
    return first === Infinity ? undefined : queue.batches.find(first);
  }

  #entry(queue: StoredQueue, batch: Batch, id: number, wanted: LookLimit['state']): Entry | undefined {
    const stored = batch.stateOf(id);
    if (stored === GONE) return undefined;
    const state = stored === WAITING ? 'waiting' : stored === DELAYED ? 'delayed' : 'leased';
    if (wanted !== undefined && state !== wanted) return undefined;
    const now = this.#clock.now();
    const { row } = batch;
    if (state !== 'leased' && isExpired(row, now)) return undefined;
    const message = stored === WAITING ? undefined : this.#tables.message.find(id);
    const run = queue.runOf(batch, id);
    if (stored === LEASED && message) {
      const { lease, until } = message;
      run.leases = { tokens: [leaseToken(id, lease as number)], left: (until as number) - now };
    }
    const due = row.due_at ?? message?.until ?? now;
    return {
      run,
      state,
      dueIn: stored === DELAYED ? due - now : undefined,
      expiresIn: row.expires_at === null ? undefined : row.expires_at - now,
      key: this.#tables.batch.label(row)?.key ?? undefined,
    };
  }
}
