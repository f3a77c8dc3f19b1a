import type { Once } from '../once.ts';
import { type Packed, pack, unpack } from '../packed.ts';
import type { Range } from '../range.ts';
import { Ranges } from '../ranges.ts';
import { DEFAULT_SETTINGS, type Settings } from '../settings.ts';
import type { Acted } from './acted.ts';
import type { Entry, LookLimit } from './look.ts';
import type { QueueState } from './queue-state.ts';
import {
  busy,
  checkPriority,
  checkSettings,
  closed,
  deadLetterOf,
  differences,
  exists,
  gap,
  isGivenUp,
  leasable,
  leaseToken,
  newNonce,
  noLease,
  noQueue,
  noRoomFor,
  notEmpty,
  retryDelay,
} from './rules.ts';
import type { Origin, Run } from './run.ts';
import type {
  Clock,
  Events,
  Outcome,
  PutOptions,
  PutResult,
  Reservation,
  Store,
  TakeLimit,
  TakeResult,
} from './store.ts';

interface Message {
  id: number;
  priority: number;
  putAt: number;
  body: Buffer;
  state: 'waiting' | 'delayed' | 'held' | 'leased';
  failures: number;
  /** The end of its delay or of its lease. */
  until: number;
  lease: string;
  expiresAt: number;
  key: string | undefined;
  /** The queue that its key belongs to. */
  keyOf: Queue | undefined;
  /** Of a dead letter. */
  origin: Origin | undefined;
}

interface Queue extends Settings, Counts {
  name: string;
  closed: false | true | 'now';
  paused: boolean;
  /** The messages in the order of taking. */
  messages: Message[];
}

type Counts = Pick<QueueState, 'put' | 'got' | 'done' | 'failed' | 'dead' | 'expired'>;

/** Queues in memory: the reference for what a store does, and nothing more. */
export class MemoryStore implements Store {
  readonly #queues = new Map<string, Queue>();
  readonly #positions = new Map<string, number>();
  /** Ids of messages by client and position. */
  readonly #ids = new Map<string, Map<number, number>>();
  /** Answers by client and `Once.seq`. */
  readonly #answers = new Map<string, Map<number, Acted>>();
  readonly #events: Events;
  readonly #clock: Clock;
  #nextId = 1;

  constructor(events: Events, clock: Clock) {
    this.#events = events;
    this.#clock = clock;
  }

  async put(name: string, messages: Packed, options: PutOptions): Promise<PutResult> {
    const { client, priority, key, done, once } = options;
    const answer = this.#answer(once);
    if (answer !== undefined) return { stored: answer.count };
    const known = client === undefined ? 0 : (this.#positions.get(client.id) ?? 0) - client.index;
    if (known >= messages.count) return this.#withIds(options, { stored: messages.count });
    const queue = this.#queues.get(name);
    const leased = done && this.#leased(done.queue, [done.lease]);
    checkPriority(name, queue ?? DEFAULT_SETTINGS, priority);
    const isTaken = (message: Message) =>
      message.key === key && message.keyOf === queue && !leased?.includes(message);
    const holder = key === undefined || queue === undefined ? undefined : this.#messages().find(isTaken);
    let stored = 1;
    let ids = holder && [holder.id];
    if (known !== 0 || ids === undefined) {
      if (queue?.closed) return this.#withIds(options, { stored: Math.max(0, known), lacking: 'CLOSED' });
      const room = roomIn(queue);
      if (room === 0 && (known < 0 || done)) return { stored: 0, lacking: 'FULL' };
      if (known < 0) throw gap();
      const fresh = unpack(messages).slice(known, done ? Infinity : known + room);
      stored = known + fresh.length;
      ids = this.#append(queue ?? this.#make(name), fresh, options, Date.now());
    }
    if (done && leased) this.#finish(this.#get(done.queue), leased);
    if (client) this.#positions.set(client.id, client.index + stored);
    if (once) this.#setAnswer(once, { count: stored, missing: [] });
    const result: PutResult = stored < messages.count ? { stored, lacking: 'FULL' } : { stored };
    return this.#withIds(options, result, ids);
  }

  async take(name: string, limit: TakeLimit): Promise<TakeResult> {
    const queue = this.#queues.get(name);
    const taken = queue ? this.#toTake(queue, limit) : [];
    for (const message of taken) message.state = 'held';
    return this.#taken(name, queue, taken);
  }

  async lease(name: string, limit: TakeLimit, duration: number): Promise<TakeResult> {
    const queue = this.#queues.get(name);
    const count = queue ? leasable(queue, leasedOf(queue), limit) : 0;
    const taken = queue ? this.#toTake(queue, { ...limit, count }) : [];
    const isAny =
      limit.id === undefined
        ? limit.count > 0 && !queue?.paused && queue?.messages.some(({ state }) => state === 'waiting')
        : queue && this.#next(queue, limit).length > 0;
    const isLimited = isAny === true && count === 0;
    for (const message of taken) {
      message.state = 'leased';
      message.lease = leaseToken(message.id, newNonce());
      message.until = this.#clock() + duration;
    }
    if (queue) queue.got += taken.length;
    if (taken.length > 0) this.#events.due(duration);
    return this.#taken(name, queue, taken, isLimited);
  }

  async takeIds(name: string, ids: readonly Range[]): Promise<Range[]> {
    const these = (this.#queues.get(name)?.messages ?? []).filter(
      (each) => each.state === 'waiting' && includes(ids, each.id),
    );
    for (const message of these) message.state = 'held';
    return these.map(({ id }) => ({ first: id, last: id }));
  }

  async settle(name: string, ids: readonly Range[], outcome: Outcome): Promise<void> {
    const queue = this.#queues.get(name);
    const held = queue?.messages.filter((each) => each.state === 'held' && includes(ids, each.id)) ?? [];
    if (queue === undefined || held.length === 0) return;
    if (outcome === 'done') {
      queue.got += held.length;
      this.#finish(queue, held);
    } else this.#comeBack(queue, held);
  }

  async settleLeases(
    name: string,
    leases: readonly string[],
    outcome: Outcome | 'failed',
    delay?: number,
    once?: Once,
  ): Promise<number> {
    return this.#once(once, () => {
      const messages = this.#leased(name, leases);
      const queue = this.#get(name);
      const { dead } = queue;
      if (outcome === 'done') this.#finish(queue, messages);
      else if (outcome === 'returned') this.#comeBack(queue, messages);
      else for (const message of messages) this.#fail(queue, message, delay);
      return queue.dead - dead;
    });
  }

  async returnLeases(name: string, leases: readonly string[]): Promise<void> {
    const queue = this.#queues.get(name);
    const these = queue?.messages.filter((each) => each.state === 'leased' && leases.includes(each.lease));
    if (queue && these) this.#comeBack(queue, these);
  }

  async extend(name: string, leases: readonly string[], duration: number): Promise<void> {
    for (const message of this.#leased(name, leases)) message.until = this.#clock() + duration;
    this.#events.due(duration);
  }

  /** Nothing outlives this store. */
  async reserved(): Promise<Reservation[]> {
    return [];
  }

  gaveBack(): void {}

  async runDue(): Promise<void> {
    const now = this.#clock();
    const due = [...this.#queues.values()]
      .flatMap((queue) => queue.messages.map((message) => ({ queue, message })))
      .filter(({ message }) => isTimed(message) && message.until <= now)
      .sort((a, b) => a.message.until - b.message.until || a.message.id - b.message.id);
    for (const { queue, message } of due) {
      if (message.state === 'leased') this.#fail(queue, message, 0);
      else this.#comeBack(queue, [message]);
    }
    let next = Infinity;
    for (const queue of this.#queues.values()) {
      this.#expire(queue, pending(queue));
      for (const message of queue.messages) {
        if (isTimed(message)) next = Math.min(next, message.until);
        if (message.expiresAt > now) next = Math.min(next, message.expiresAt);
      }
    }
    if (next !== Infinity) this.#events.due(next - now);
  }

  async peek(name: string, limit: TakeLimit): Promise<Run[]> {
    const queue = this.#get(name);
    return this.#next(queue, limit).map((message) => toRun(queue, message, this.#clock()));
  }

  async look(name: string, { from, to = Infinity, state, count, bytes }: LookLimit): Promise<Entry[]> {
    const queue = this.#get(name);
    const entries: Entry[] = [];
    let size = 0;
    for (const message of queue.messages.toSorted((a, b) => a.id - b.id)) {
      const entry = toEntry(queue, message, this.#clock());
      if (message.id < from || message.id > to || (state ?? entry.state) !== entry.state) continue;
      if (entry.state !== 'leased' && message.expiresAt <= this.#clock()) continue;
      if (entries.length >= count || size >= bytes) break;
      entries.push(entry);
      size += pack([message.body]).bytes.length;
    }
    return entries;
  }

  async move(from: string, to: string, count = Infinity, once?: Once): Promise<number> {
    return this.#once(once, () => this.#move(from, to, count));
  }

  async moveIds(from: string, to: string, ids: readonly number[], once?: Once): Promise<Acted> {
    return this.#onceActed(once, () => {
      const source = this.#get(from);
      const target = this.#queues.get(to);
      if (target?.closed) throw closed(to);
      const isWaiting = (each: Message) => each.state === 'waiting' && ids.includes(each.id);
      const size = source.messages.filter(isWaiting).length;
      if (target !== source && size > roomIn(target)) throw noRoomFor(size, to);
      return this.#onEach(source, ids, (message) => {
        if (message.state !== 'waiting') return false;
        this.#moveThese(source, to, [message]);
        return true;
      });
    });
  }

  async retry(name: string, ids: readonly number[] | undefined, once?: Once): Promise<Acted> {
    return this.#onceActed(once, () => {
      const queue = this.#get(name);
      if (ids) return this.#onEach(queue, ids, (message) => this.#retry(queue, message, true));
      // Dead letters come first, as they were given up on, and then those that are delayed.
      const messages = queue.messages.toSorted((a, b) => a.id - b.id);
      const all = [true, false].flatMap((isDead) => messages.filter(({ origin }) => !origin !== isDead));
      const acted = this.#onEach(
        queue,
        all.map(({ id }) => id),
        (message) => this.#retry(queue, message, false),
      );
      return { ...acted, missing: [] };
    });
  }

  async drop(name: string, ids: readonly number[], once?: Once): Promise<Acted> {
    return this.#onceActed(once, () => {
      const queue = this.#get(name);
      const dropped = queue.messages.filter(({ id }) => ids.includes(id));
      remove(queue, dropped);
      this.#events.changed(name);
      const missing = [...new Set(ids)].filter((id) => !dropped.some((each) => each.id === id));
      return { count: dropped.length, missing };
    });
  }

  async purge(name: string, once?: Once): Promise<number> {
    return this.#once(once, () => {
      const queue = this.#get(name);
      const dropped = pending(queue);
      remove(queue, dropped);
      this.#events.changed(name);
      return dropped.length;
    });
  }

  async remove(name: string, force: boolean, once?: Once): Promise<void> {
    this.#once(once, () => {
      const queue = this.#get(name);
      if (queue.messages.length > 0 && !force) throw notEmpty(name, queue.messages.length);
      this.#queues.delete(name);
      this.#events.changed(name);
      return 0;
    });
  }

  async rename(name: string, to: string, once?: Once): Promise<void> {
    this.#once(once, () => {
      const queue = this.#get(name);
      if (this.#queues.has(to)) throw exists(to);
      const taken = queue.messages.length - pending(queue).length;
      if (taken > 0) throw busy(name, taken);
      const dead_letter = deadLetterOf(name, queue);
      checkSettings(to, { dead_letter });
      for (const other of this.#queues.values())
        if (deadLetterOf(other.name, other) === name) other.dead_letter = to;
      this.#queues.delete(name);
      this.#queues.set(to, Object.assign(queue, { name: to, dead_letter }));
      for (const each of [name, to]) this.#events.changed(each);
      return 0;
    });
  }

  async create(name: string, settings: Partial<Settings>): Promise<void> {
    checkSettings(name, settings);
    const queue = this.#queues.get(name);
    if (queue === undefined) Object.assign(this.#make(name), settings);
    else differences(name, queue, settings);
  }

  async configure(name: string, settings: Partial<Settings>): Promise<void> {
    checkSettings(name, settings);
    const queue = this.#get(name);
    if (settings.kind && settings.kind !== queue.kind && queue.messages.length > 0) {
      throw notEmpty(name, queue.messages.length);
    }
    Object.assign(queue, settings);
    this.#events.changed(name);
  }

  async close(name: string, now: boolean): Promise<void> {
    const queue = this.#get(name);
    queue.closed = now ? 'now' : queue.closed || true;
    if (now) remove(queue, pending(queue));
    this.#events.changed(name);
  }

  async open(name: string): Promise<void> {
    this.#get(name).closed = false;
    this.#events.changed(name);
  }

  async pause(name: string, once?: Once): Promise<void> {
    this.#once(once, () => this.#setPaused(name, true));
  }

  async resume(name: string, once?: Once): Promise<void> {
    this.#once(once, () => this.#setPaused(name, false));
  }

  async stat(name: string): Promise<QueueState | undefined> {
    const queue = this.#queues.get(name);
    return queue && toState(queue);
  }

  async count(): Promise<number> {
    return this.#queues.size;
  }

  async names(after?: string, count?: number): Promise<string[]> {
    return this.#names(after, count);
  }

  async list(after?: string, count?: number): Promise<QueueState[]> {
    return this.#names(after, count).map((name) => toState(this.#get(name)));
  }

  async rest(): Promise<void> {}

  async synced(): Promise<void> {}

  async stored(client: string): Promise<number> {
    return this.#positions.get(client) ?? 0;
  }

  async idsOf(client: string, position: number): Promise<readonly Range[]> {
    return rangesFrom(this.#ids.get(client) ?? new Map(), position, Infinity);
  }

  forget(client: string): void {
    this.#positions.delete(client);
    this.#ids.delete(client);
    this.#answers.delete(client);
  }

  isInPlace(): boolean {
    return true;
  }

  async end(): Promise<void> {}

  #once(once: Once | undefined, run: () => number): number {
    return this.#onceActed(once, () => ({ count: run(), missing: [] })).count;
  }

  #onceActed(once: Once | undefined, run: () => Acted): Acted {
    const known = this.#answer(once);
    if (known !== undefined) return known;
    const acted = run();
    if (once) this.#setAnswer(once, acted);
    return acted;
  }

  /** Acts on these messages that have not expired. @param act tells whether it could */
  #onEach(
    queue: Queue,
    ids: readonly number[],
    act: (message: Message) => boolean | { closed: string },
  ): Acted {
    const acted = { count: 0, missing: [] as number[], closed: undefined as string | undefined };
    for (const id of new Set(ids)) {
      const message = queue.messages.find((each) => each.id === id);
      const done = message !== undefined && message.expiresAt > this.#clock() && act(message);
      if (done === true) acted.count += 1;
      else if (done === false) acted.missing.push(id);
      else acted.closed = done.closed;
    }
    return acted;
  }

  #retry(queue: Queue, message: Message, isNamed: boolean): boolean | { closed: string } {
    const { state, origin, failures } = message;
    if (origin && (state === 'waiting' || state === 'delayed')) {
      if (this.#queues.get(origin.queue)?.closed) return { closed: origin.queue };
      this.#moveThese(queue, origin.queue, [message]);
      return true;
    }
    if (state !== 'delayed' || !(isNamed || failures > 0)) return false;
    this.#comeBack(queue, [message]);
    return true;
  }

  #answer(once: Once | undefined): Acted | undefined {
    return once && this.#answers.get(once.client)?.get(once.seq);
  }

  #setAnswer({ client, seq, acked }: Once, answer: Acted): void {
    const kept = [...(this.#answers.get(client) ?? [])].filter(([each]) => each >= acked);
    this.#answers.set(client, new Map([...kept, [seq, answer]]));
  }

  /** The result with the ids, if they were asked for. @param fresh those of the last messages, put just now */
  #withIds({ ids, client }: PutOptions, result: PutResult, fresh: number[] = []): PutResult {
    if (ids === undefined) return result;
    if (client === undefined) return { ...result, ids: rangesIn(fresh) };
    const end = client.index + result.stored;
    const kept = this.#ids.get(client.id) ?? new Map<number, number>();
    this.#ids.set(client.id, kept);
    for (const [i, id] of fresh.entries()) kept.set(end - fresh.length + i, id);
    if (fresh.length > 0) for (const each of kept.keys()) if (each < ids.since) kept.delete(each);
    return { ...result, ids: rangesFrom(kept, client.index, end) };
  }

  #names(after = '', count = Infinity): string[] {
    const names = [...this.#queues.keys()].filter((name) => name > after).sort();
    return names.slice(0, count);
  }

  #get(name: string): Queue {
    const queue = this.#queues.get(name);
    if (queue === undefined) throw noQueue(name);
    return queue;
  }

  #make(name: string): Queue {
    const counts: Counts = { put: 0, got: 0, done: 0, failed: 0, dead: 0, expired: 0 };
    const queue: Queue = { ...DEFAULT_SETTINGS, ...counts, name, closed: false, paused: false, messages: [] };
    this.#queues.set(name, queue);
    return queue;
  }

  #move(from: string, to: string, count: number): number {
    const source = this.#get(from);
    const size = Math.min(count, source.messages.filter(({ state }) => state === 'waiting').length);
    const target = this.#queues.get(to);
    if (target?.closed) throw closed(to);
    if (target !== source && size > roomIn(target)) throw noRoomFor(size, to);
    const moved = this.#next(source, { count, bytes: Infinity });
    if (moved.length > 0) this.#moveThese(source, to, moved);
    return moved.length;
  }

  #moveThese(source: Queue, to: string, moved: Message[]): void {
    remove(source, moved);
    const destination = this.#queues.get(to) ?? this.#make(to);
    for (const message of moved) {
      if (source === destination) continue;
      if (message.keyOf !== destination) message.keyOf = undefined;
      message.origin = undefined;
    }
    this.#transfer(moved, destination);
    this.#events.changed(source.name);
  }

  #messages(): Message[] {
    return [...this.#queues.values()].flatMap(({ messages }) => messages);
  }

  #setPaused(name: string, paused: boolean): number {
    this.#get(name).paused = paused;
    this.#events.changed(name);
    return 0;
  }

  #toTake(queue: Queue, limit: TakeLimit): Message[] {
    return queue.paused && limit.id === undefined ? [] : this.#next(queue, limit);
  }

  /** The next messages that have not expired. */
  #next(queue: Queue, limit: TakeLimit): Message[] {
    const found: Message[] = [];
    let bytes = 0;
    for (const message of queue.messages) {
      if (message.state !== 'waiting' || message.expiresAt <= this.#clock()) continue;
      if (limit.id !== undefined && limit.id !== message.id) continue;
      if (found.length >= limit.count || bytes >= limit.bytes) break;
      found.push(message);
      bytes += pack([message.body]).bytes.length;
    }
    return found;
  }

  #taken(name: string, queue: Queue | undefined, taken: Message[], isLimited = false): TakeResult {
    if (queue === undefined) return { runs: [], isPart: false, isLimited, drained: false, finished: true };
    if (taken.length > 0) this.#events.changed(name);
    return {
      runs: taken.map((message) => toRun(queue, message, this.#clock())),
      isPart: false,
      isLimited,
      drained: queue.closed !== false && pending(queue).length === 0,
      finished: queue.messages.length === 0,
    };
  }

  #leased(name: string, leases: readonly string[]): Message[] {
    const queue = this.#get(name);
    const leased = new Map(
      queue.messages.filter(({ state }) => state === 'leased').map((message) => [message.lease, message]),
    );
    return [...new Set(leases)].map((lease) => {
      const message = leased.get(lease);
      if (message === undefined) throw noLease(name, lease);
      return message;
    });
  }

  /** @returns the ids */
  #append(queue: Queue, bodies: Buffer[], options: PutOptions, putAt: number): number[] {
    const { priority, delay, ttl, key } = options;
    const now = this.#clock();
    const messages = bodies.map(
      (body): Message => ({
        id: this.#nextId++,
        priority,
        putAt,
        body,
        state: delay ? 'delayed' : 'waiting',
        failures: 0,
        until: now + (delay ?? 0),
        lease: '',
        expiresAt: now + (ttl ?? Infinity),
        key,
        keyOf: queue,
        origin: undefined,
      }),
    );
    this.#add(queue, messages);
    if (bodies.length > 0) this.#events.changed(queue.name);
    if (delay) this.#events.due(delay);
    if (ttl) this.#events.due(ttl);
    return messages.map(({ id }) => id);
  }

  #add(queue: Queue, messages: Message[]): void {
    queue.messages = [...queue.messages, ...messages];
    queue.put += messages.length;
    if (queue.kind === 'lifo') queue.messages.sort((a, b) => b.id - a.id);
    else queue.messages.sort((a, b) => a.priority - b.priority || a.id - b.id);
  }

  #transfer(messages: Message[], to: Queue): void {
    // A dead letter is not dropped when it comes back.
    if (to.closed === 'now') to.closed = true;
    const fresh = messages.map(
      ({ priority, putAt, body, expiresAt, key, keyOf, origin }): Message => ({
        id: this.#nextId++,
        priority: to.kind === 'priority' ? priority : 0,
        putAt,
        body,
        state: 'waiting',
        failures: 0,
        until: 0,
        lease: '',
        expiresAt,
        key,
        keyOf,
        origin,
      }),
    );
    this.#add(to, fresh);
    this.#events.changed(to.name);
  }

  #finish(queue: Queue, messages: Message[]): void {
    queue.done += messages.length;
    remove(queue, messages);
    this.#events.changed(queue.name);
  }

  #comeBack(queue: Queue, messages: Message[]): void {
    if (queue.closed === 'now') remove(queue, messages);
    for (const message of messages) message.state = 'waiting';
    this.#expire(queue, messages);
    this.#events.changed(queue.name);
  }

  #fail(queue: Queue, message: Message, delay?: number): void {
    message.failures += 1;
    queue.failed += 1;
    if (queue.closed !== 'now' && isGivenUp(queue, message.failures)) {
      queue.dead += 1;
      remove(queue, [message]);
      const name = deadLetterOf(queue.name, queue);
      const origin = { queue: queue.name, id: message.id };
      const letter = { ...message, expiresAt: Infinity, origin };
      this.#transfer([letter], this.#queues.get(name) ?? this.#make(name));
    } else {
      this.#comeBack(queue, [message]);
      const wait = delay ?? retryDelay(queue, message.failures);
      if (wait > 0) {
        message.state = 'delayed';
        message.until = this.#clock() + wait;
        this.#events.due(wait);
      }
    }
    this.#events.changed(queue.name);
  }

  /** Drops those of the messages that have expired. */
  #expire(queue: Queue, messages: Message[]): void {
    const expired = messages.filter(
      (each) => each.expiresAt <= this.#clock() && queue.messages.includes(each),
    );
    if (expired.length === 0) return;
    queue.expired += expired.length;
    remove(queue, expired);
    this.#events.changed(queue.name);
  }
}

/** Whether the message is due at its time. */
function isTimed({ state }: Message): boolean {
  return state === 'leased' || state === 'delayed';
}

/** Messages that are waiting or delayed. */
function pending({ messages }: Queue): Message[] {
  return messages.filter(({ state }) => state === 'waiting' || state === 'delayed');
}

function leasedOf({ messages }: Queue): number {
  return messages.filter(({ state }) => state === 'leased').length;
}

function roomIn(queue: Queue | undefined): number {
  return queue?.maxsize ? Math.max(0, queue.maxsize - pending(queue).length) : Infinity;
}

function remove(queue: Queue, messages: Message[]): void {
  const removed = new Set(messages);
  queue.messages = queue.messages.filter((each) => !removed.has(each));
}

/** The ids of the messages at these positions. */
function rangesFrom(ids: ReadonlyMap<number, number>, from: number, to: number): readonly Range[] {
  const positions = [...ids.keys()].filter((each) => each >= from && each < to).sort((a, b) => a - b);
  return rangesIn(positions.map((each) => ids.get(each) as number));
}

function rangesIn(ids: readonly number[]): readonly Range[] {
  const ranges = new Ranges();
  for (const id of ids) ranges.add({ first: id, last: id });
  return ranges.all;
}

function includes(ids: readonly Range[], id: number): boolean {
  return ids.some(({ first, last }) => first <= id && id <= last);
}

function toRun(
  { kind }: Queue,
  { id, priority, putAt, failures, body, origin, state, lease, until }: Message,
  now: number,
): Run {
  return {
    id,
    step: kind === 'lifo' ? -1 : 1,
    priority,
    putAt,
    failures,
    messages: pack([body]),
    origin,
    leases: state === 'leased' ? { tokens: [lease], left: until - now } : undefined,
  };
}

function toEntry(queue: Queue, message: Message, now: number): Entry {
  const { state, until, expiresAt, key, keyOf } = message;
  return {
    run: toRun(queue, message, now),
    state: state === 'held' ? 'leased' : state,
    dueIn: state === 'delayed' ? until - now : undefined,
    expiresIn: expiresAt === Infinity ? undefined : expiresAt - now,
    key: keyOf && key,
  };
}

function toState({ messages, ...queue }: Queue): QueueState {
  const count = (wanted: Message['state']) => messages.filter(({ state }) => state === wanted).length;
  const oldest = messages
    .filter(({ state }) => state === 'waiting')
    .reduce<Message | undefined>((a, b) => (a && a.id < b.id ? a : b), undefined);
  return {
    ...queue,
    waiting: count('waiting'),
    delayed: count('delayed'),
    held: count('held'),
    leased: count('leased'),
    oldestAt: oldest?.putAt,
  };
}
