import { MqError } from '../errors.ts';
import { type Packed, pack, unpack } from '../packed.ts';
import { DEFAULT_SETTINGS, type Settings } from '../settings.ts';
import { checkPriority, differences, noQueue, notEmpty } from './rules.ts';
import type {
  OnChange,
  Outcome,
  PutOptions,
  PutResult,
  QueueState,
  Range,
  Run,
  Store,
  TakeLimit,
  TakeResult,
} from './store.ts';

interface Message {
  id: number;
  priority: number;
  putAt: number;
  body: Buffer;
  held: boolean;
}

interface Queue extends Settings {
  name: string;
  /** 'now': what comes back is dropped too. */
  closed: false | true | 'now';
  put: number;
  got: number;
  /** In the order in which they are to be taken. */
  messages: Message[];
}

/** Queues in memory: the reference for what a store does, and nothing more. */
export class MemoryStore implements Store {
  readonly #queues = new Map<string, Queue>();
  readonly #positions = new Map<string, number>();
  readonly #onChange: OnChange;
  #nextId = 1;

  constructor(onChange: OnChange) {
    this.#onChange = onChange;
  }

  async put(name: string, messages: Packed, options: PutOptions): Promise<PutResult> {
    const { client, priority } = options;
    const known = client === undefined ? 0 : (this.#positions.get(client.id) ?? 0) - client.index;
    if (known >= messages.count) return { stored: messages.count };
    const queue = this.#queues.get(name);
    const room = queue?.maxsize ? Math.max(0, queue.maxsize - waiting(queue).length) : Infinity;
    checkPriority(name, queue ?? DEFAULT_SETTINGS, priority);
    if (queue?.closed) return { stored: Math.max(0, known), lacking: 'CLOSED' };
    if (known < 0 && room === 0) return { stored: 0, lacking: 'FULL' };
    if (known < 0) throw new MqError('GAP', 'messages before these are lacking');
    const fresh = unpack(messages).slice(known, known + room);
    this.#append(queue ?? this.#make(name), fresh, priority);
    const stored = known + fresh.length;
    if (client) this.#positions.set(client.id, client.index + stored);
    return stored < messages.count ? { stored, lacking: 'FULL' } : { stored };
  }

  async take(name: string, limit: TakeLimit): Promise<TakeResult> {
    const queue = this.#queues.get(name);
    if (queue === undefined) return { runs: [], drained: false };
    const taken = next(queue, limit);
    for (const message of taken) message.held = true;
    if (taken.length > 0) this.#onChange(name);
    return {
      runs: taken.map((message) => toRun(queue, message)),
      drained: queue.closed !== false && waiting(queue).length === 0,
    };
  }

  async takeThese(name: string, ids: readonly Range[]): Promise<Range[]> {
    const these = (this.#queues.get(name)?.messages ?? []).filter(
      (each) => !each.held && includes(ids, each.id),
    );
    for (const message of these) message.held = true;
    return these.map(({ id }) => ({ first: id, last: id }));
  }

  async settle(name: string, ids: readonly Range[], outcome: Outcome): Promise<void> {
    const queue = this.#queues.get(name);
    if (queue === undefined) return;
    const settled = queue.messages.filter((each) => each.held && includes(ids, each.id));
    for (const message of settled) message.held = false;
    if (outcome === 'done') queue.got += settled.length;
    if (outcome === 'done' || queue.closed === 'now') {
      queue.messages = queue.messages.filter((each) => !settled.includes(each));
    }
    this.#onChange(name);
  }

  async peek(name: string, limit: TakeLimit): Promise<Run[]> {
    const queue = this.#get(name);
    return next(queue, limit).map((message) => toRun(queue, message));
  }

  async move(from: string, to: string, count = Infinity): Promise<number> {
    const source = this.#get(from);
    const moved = waiting(source).slice(0, count);
    const target = this.#queues.get(to);
    if (target?.closed) throw new MqError('CLOSED', `queue ${to} is closed`);
    const others = target === undefined || target === source ? 0 : waiting(target).length;
    const room = target?.maxsize && target !== source ? Math.max(0, target.maxsize - others) : Infinity;
    if (moved.length > room) {
      throw new MqError('FULL', `queue ${to} has no room for ${moved.length} messages`);
    }
    if (moved.length === 0) return 0;
    source.messages = source.messages.filter((each) => !moved.includes(each));
    const destination = target ?? this.#make(to);
    for (const { body, priority, putAt } of moved) {
      this.#append(destination, [body], destination.kind === 'priority' ? priority : 0, putAt);
    }
    this.#onChange(from);
    return moved.length;
  }

  async purge(name: string): Promise<number> {
    const queue = this.#get(name);
    const dropped = waiting(queue).length;
    queue.messages = queue.messages.filter((each) => each.held);
    this.#onChange(name);
    return dropped;
  }

  async remove(name: string, force: boolean): Promise<void> {
    const queue = this.#get(name);
    if (queue.messages.length > 0 && !force) throw notEmpty(name, queue.messages.length);
    this.#queues.delete(name);
    this.#onChange(name);
  }

  async create(name: string, settings: Partial<Settings>): Promise<void> {
    const queue = this.#queues.get(name);
    if (queue === undefined) Object.assign(this.#make(name), settings);
    else differences(name, queue, settings);
  }

  async configure(name: string, settings: Partial<Settings>): Promise<void> {
    const queue = this.#get(name);
    if (settings.kind && settings.kind !== queue.kind && queue.messages.length > 0) {
      throw notEmpty(name, queue.messages.length);
    }
    Object.assign(queue, settings);
    this.#onChange(name);
  }

  async close(name: string, now: boolean): Promise<void> {
    const queue = this.#get(name);
    queue.closed = now ? 'now' : queue.closed || true;
    if (now) queue.messages = queue.messages.filter((each) => each.held);
    this.#onChange(name);
  }

  async open(name: string): Promise<void> {
    this.#get(name).closed = false;
    this.#onChange(name);
  }

  async stat(name: string): Promise<QueueState | undefined> {
    const queue = this.#queues.get(name);
    return queue && toState(queue);
  }

  async count(): Promise<number> {
    return this.#queues.size;
  }

  async list(): Promise<QueueState[]> {
    return [...this.#queues.keys()].sort().map((name) => toState(this.#get(name)));
  }

  forget(client: string): void {
    this.#positions.delete(client);
  }

  async end(): Promise<void> {}

  #get(name: string): Queue {
    const queue = this.#queues.get(name);
    if (queue === undefined) throw noQueue(name);
    return queue;
  }

  #make(name: string): Queue {
    const queue: Queue = { ...DEFAULT_SETTINGS, name, closed: false, put: 0, got: 0, messages: [] };
    this.#queues.set(name, queue);
    return queue;
  }

  #append(queue: Queue, bodies: Buffer[], priority: number, putAt = Date.now()): void {
    if (bodies.length === 0) return;
    for (const body of bodies) {
      queue.messages.push({ id: this.#nextId++, priority, putAt, body, held: false });
    }
    queue.put += bodies.length;
    if (queue.kind === 'lifo') queue.messages.sort((a, b) => b.id - a.id);
    else queue.messages.sort((a, b) => a.priority - b.priority || a.id - b.id);
    this.#onChange(queue.name);
  }
}

function waiting(queue: Queue): Message[] {
  return queue.messages.filter((each) => !each.held);
}

function next(queue: Queue, limit: TakeLimit): Message[] {
  const found: Message[] = [];
  let bytes = 0;
  for (const message of waiting(queue)) {
    if (found.length >= limit.count || bytes >= limit.bytes) break;
    found.push(message);
    bytes += pack([message.body]).bytes.length;
  }
  return found;
}

function includes(ids: readonly Range[], id: number): boolean {
  return ids.some(({ first, last }) => first <= id && id <= last);
}

function toRun({ kind }: Queue, { id, priority, putAt, body }: Message): Run {
  return { id, step: kind === 'lifo' ? -1 : 1, priority, putAt, messages: pack([body]) };
}

function toState({ name, kind, maxsize, closed, put, got, messages }: Queue): QueueState {
  const free = messages.filter((each) => !each.held);
  const oldest = free.reduce<Message | undefined>((a, b) => (a && a.id < b.id ? a : b), undefined);
  return {
    name,
    kind,
    maxsize,
    closed: closed !== false,
    waiting: free.length,
    held: messages.length - free.length,
    put,
    got,
    oldestAt: oldest?.putAt,
  };
}
