import type { MqError } from '../../errors.ts';
import { type Packed, pieces, splitAt } from '../../packed.ts';
import type { Range } from '../../range.ts';
import { DEFAULT_SETTINGS } from '../../settings.ts';
import { checkPriority, gap } from '../rules.ts';
import type { PutOptions, PutResult } from '../store.ts';
import { type Chunks, LARGE } from './chunks.ts';
import type { Reservations } from './reservations.ts';
import { BATCH_BYTES, labelOf, type NewBatch, type Steps, type StepsContext } from './steps.ts';
import type { StoreClock } from './store-clock.ts';
import type { StoreFile } from './store-file.ts';
import type { StoredQueue } from './stored-queue.ts';
import type { StoredQueues } from './stored-queues.ts';
import type { MessageRow, Stored } from './tables/table-rows.ts';
import type { Tables } from './tables/tables.ts';

/** Puts messages: large ones in chunks before, and then all of them in one step. */
export class Puts {
  readonly #file: StoreFile;
  readonly #reservations: Reservations;
  readonly #tables: Tables;
  readonly #chunks: Chunks;
  readonly #queues: StoredQueues;
  readonly #clock: StoreClock;
  readonly #steps: Steps;

  constructor(
    file: StoreFile,
    reservations: Reservations,
    chunks: Chunks,
    { queues, clock }: StepsContext,
    steps: Steps,
  ) {
    this.#file = file;
    this.#reservations = reservations;
    this.#tables = file.tables;
    this.#chunks = chunks;
    this.#queues = queues;
    this.#clock = clock;
    this.#steps = steps;
  }

  /** @see Store.put */
  async put(name: string, messages: Packed, options: PutOptions): Promise<PutResult> {
    const chunks = new Map<number, Stored>();
    const put = (bytes: number) =>
      this.#file.put(bytes, (noRoom) => this.#put(name, messages, options, noRoom, chunks));
    try {
      let result = await put(messages.bytes.length);
      while ('lackingChunks' in result) {
        // Large messages are stored before, so that others have their turn.
        for (const piece of result.lackingChunks)
          chunks.set(piece.bytes.byteOffset, await this.#chunks.store(piece));
        result = await put(0);
      }
      if (options.done && !result.lacking) this.#reservations.settledLeases([options.done.lease]);
      return result;
    } finally {
      if (chunks.size > 0) this.#chunks.release(chunks.values());
    }
  }

  #put(
    name: string,
    messages: Packed,
    options: PutOptions,
    noRoom: MqError | undefined,
    chunks: ReadonlyMap<number, Stored>,
  ): PutResult | { lackingChunks: Packed[] } {
    const { client, priority, key, done, once } = options;
    const answer = once && this.#tables.client.answer(once);
    if (answer !== undefined) return { stored: answer.answer };
    const known = client === undefined ? 0 : this.#tables.client.stored(client.id) - client.index;
    if (known >= messages.count) return this.#withIds(options, { stored: messages.count });
    const queue = this.#queues.find(name);
    const input = done && this.#queues.get(done.queue);
    const leased = input?.leased(done?.lease as string);
    checkPriority(name, queue?.row ?? DEFAULT_SETTINGS, priority);
    const record = (stored: number, fresh: Range) => {
      if (client) this.#tables.client.setStored(client.id, client.index + stored, Date.now());
      if (once) this.#tables.client.setAnswer(once, { answer: stored, position: undefined }, Date.now());
      if (client && options.ids) {
        const position = client.index + stored - (fresh.last - fresh.first + 1);
        this.#tables.client.setIds(client.id, position, fresh, options.ids.since, Date.now());
      }
    };
    const finish = () => {
      if (input && leased) this.#steps.finish(input, [leased]);
    };
    const holder = known === 0 ? this.#holder(queue, key, leased) : undefined;
    if (holder !== undefined) {
      const fresh = { first: holder, last: holder };
      finish();
      record(1, fresh);
      return this.#withIds(options, { stored: 1 }, fresh);
    }
    if (queue?.closed) return this.#withIds(options, { stored: Math.max(0, known), lacking: 'CLOSED' });
    const room = queue?.counts.room ?? Infinity;
    if (room === 0 && (known < 0 || done)) return { stored: 0, lacking: 'FULL' };
    if (known < 0) throw gap();
    const stored = done ? messages.count : Math.min(messages.count, known + room);
    const [fitting] = splitAt(messages, stored);
    const [, fresh] = known === 0 ? [undefined, fitting] : splitAt(fitting, known);
    if (noRoom) throw noRoom;
    const lackingChunks = largeIn(fresh).filter(({ bytes }) => !chunks.has(bytes.byteOffset));
    if (lackingChunks.length > 0) return { lackingChunks };
    finish();
    const target = queue ?? this.#queues.make(name);
    const ids = this.#steps.append(target, fresh, this.#batchOf(options), labelOf(target, key), chunks);
    if (fresh.count > 0) record(stored, ids);
    const result: PutResult = stored < messages.count ? { stored, lacking: 'FULL' } : { stored };
    return this.#withIds(options, result, fresh.count > 0 ? ids : undefined);
  }

  /** The result with the ids, if they were asked for. @param fresh those of the messages put just now */
  #withIds({ ids, client }: PutOptions, result: PutResult, fresh?: Range): PutResult {
    if (ids === undefined) return result;
    if (client === undefined) return { ...result, ids: fresh ? [fresh] : [] };
    const { id, index } = client;
    return { ...result, ids: this.#tables.client.ids(id, index, index + result.stored) };
  }

  #batchOf({ priority, delay, ttl }: PutOptions): NewBatch {
    const now = this.#clock.now();
    return {
      priority,
      put_at: Date.now(),
      due_at: delay ? now + delay : null,
      expires_at: ttl === undefined ? null : now + ttl,
    };
  }

  /** The id of the message that has the key, other than the one on this lease. */
  #holder(
    queue: StoredQueue | undefined,
    key: string | undefined,
    leased: MessageRow | undefined,
  ): number | undefined {
    if (queue === undefined || key === undefined) return undefined;
    const holder = this.#tables.batch.keyHolder(queue.row.id, key);
    return holder === leased?.id ? undefined : holder;
  }
}

/** The messages that are stored in chunks. */
function largeIn(messages: Packed): Packed[] {
  if (messages.bytes.length <= LARGE) return [];
  return [...pieces(messages, BATCH_BYTES)].filter(({ bytes }) => bytes.length > LARGE);
}
