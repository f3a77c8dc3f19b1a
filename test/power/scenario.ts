import { MqError } from '../../src/errors.ts';
import { tokensOf } from '../../src/store/run.ts';
import type { Store } from '../../src/store/store.ts';
import type { Random } from '../random.ts';
import { ALL, bodiesOf, idsOf, type Message, messagesOf, packed } from '../store/messages.ts';

/** The names of all unfinished messages, by queue, in the order in which they were put there. */
export type State = Record<string, string[]>;

/** Hears what happens. */
export interface Observer {
  /** One step was committed, with others perhaps, and this is what all queues have behind it. */
  committed(state: State): void;
  /** Called with the number of steps that are safe, as `Store.synced` told. */
  safe(steps: number): void;
}

/** Steps that may be committed before the first of them is told. */
export const MOST_AT_ONCE = 4;

const QUEUES = ['a', 'b', 'c'];

/** Random steps on a store that begins in this state; some of them wait until they are safe. */
export class Scenario {
  readonly #store: Store;
  readonly #random: Random;
  readonly #observer: Observer;
  readonly #state: State;
  #steps: number;
  #body: number;
  /** Of messages in the queue `leased`. */
  #leases: { token: string; name: string }[] = [];

  /** @param steps how many went before */
  constructor(store: Store, random: Random, observer: Observer, state: State, steps: number) {
    this.#store = store;
    this.#random = random;
    this.#observer = observer;
    this.#state = structuredClone(state);
    this.#steps = steps;
    // No body twice.
    this.#body = steps * 1000;
  }

  get steps(): number {
    return this.#steps;
  }

  get state(): State {
    return this.#state;
  }

  /** To be called once, before all else. */
  async begin(): Promise<void> {
    await this.#store.create('leased', { max_attempts: 0 });
    this.#committed(() => this.#of('leased'));
  }

  async play(rounds: number): Promise<void> {
    const random = this.#random;
    this.#saySafe();
    for (let round = 0; round < rounds; round++) {
      const held = messagesOf(
        (await this.#store.take('b', { count: random.below(4), bytes: Infinity })).runs,
      );
      const steps = Array.from({ length: 1 + random.below(MOST_AT_ONCE - 1) }, () => this.#step());
      if (held.length > 0) steps.push(this.#done(held));
      const changes = await Promise.all(steps);
      for (const change of changes) this.#committed(change);
      const safe = this.#saySafe();
      if (random.below(3) === 0) await safe;
    }
  }

  /** A put that SQLite's log has no room for without going into the file. */
  async putMuch(): Promise<void> {
    const bodies = Array.from({ length: 250 }, () => `${this.#body++}`.padEnd(80_000, '.'));
    this.#committed(await this.#put('a', bodies));
    await this.#saySafe();
  }

  #committed(change: () => void): void {
    change();
    this.#steps += 1;
    this.#observer.committed(structuredClone(this.#state));
  }

  /** Never, where the process is killed before. */
  #saySafe(): Promise<void> {
    const steps = this.#steps;
    return this.#store.synced().then(() => this.#observer.safe(steps));
  }

  /** @returns what it changes in the state */
  #step(): Promise<() => void> {
    const random = this.#random;
    const dice = random.below(20);
    if (dice < 9) {
      const size = random.of([0, 10, 300, 3000, 20_000]);
      const bodies = Array.from({ length: 1 + random.below(5) }, () => `${this.#body++}`.padEnd(size, '.'));
      return this.#put(random.of([...QUEUES, 'leased']), bodies);
    }
    if (dice < 12) return this.#lease(1 + random.below(4));
    if (dice < 15) return this.#settle(random.of(['done', 'done', 'returned', 'failed'] as const));
    if (dice < 17) return this.#move('a', 'c', 1 + random.below(5));
    if (dice === 17) return this.#move('c', 'a', 100);
    if (dice === 18) return this.#purge('c');
    return this.#remove('c');
  }

  async #put(queue: string, bodies: string[]): Promise<() => void> {
    const client = { id: `client ${this.#body}`, index: 0 };
    await this.#store.put(queue, packed(...bodies), { priority: 0, client });
    return () => {
      this.#of(queue).push(...bodies.map(nameOf));
    };
  }

  async #done(held: Message[]): Promise<() => void> {
    await this.#store.settle('b', idsOf(held), 'done');
    return () => this.#drop('b', bodiesOf(held).map(nameOf));
  }

  async #lease(count: number): Promise<() => void> {
    const { runs } = await this.#store.lease('leased', { count, bytes: Infinity }, 1000e3);
    const bodies = bodiesOf(messagesOf(runs));
    return () => {
      this.#leases.push(...tokensOf(runs).map((token, i) => ({ token, name: nameOf(bodies[i] as string) })));
    };
  }

  async #settle(outcome: 'done' | 'returned' | 'failed'): Promise<() => void> {
    const leases = this.#leases.splice(0, 1 + this.#random.below(3));
    if (leases.length === 0) return this.#put('leased', [`${this.#body++}`]);
    const tokens = leases.map(({ token }) => token);
    await this.#store.settleLeases('leased', tokens, outcome, 0);
    return () => {
      if (outcome === 'done')
        this.#drop(
          'leased',
          leases.map(({ name }) => name),
        );
    };
  }

  async #move(from: string, to: string, count: number): Promise<() => void> {
    const moved = await orNothing(this.#store.move(from, to, count));
    return () => {
      if (moved) this.#of(to).push(...this.#of(from).splice(0, moved));
    };
  }

  async #purge(queue: string): Promise<() => void> {
    await orNothing(this.#store.purge(queue));
    return () => {
      if (this.#state[queue]) this.#state[queue] = [];
    };
  }

  async #remove(queue: string): Promise<() => void> {
    await orNothing(this.#store.remove(queue, true));
    return () => {
      delete this.#state[queue];
    };
  }

  #of(queue: string): string[] {
    this.#state[queue] ??= [];
    return this.#state[queue];
  }

  #drop(queue: string, names: string[]): void {
    this.#state[queue] = this.#of(queue).filter((name) => !names.includes(name));
  }
}

/** The contents of a store. Its clock is set so far ahead that no lease is left. */
export async function stateOf(store: Store): Promise<State> {
  await store.runDue();
  const state: State = {};
  for (const { name } of await store.list()) {
    state[name] = bodiesOf(messagesOf(await store.peek(name, ALL))).map(nameOf);
  }
  return state;
}

/** The queue need not be there. */
async function orNothing<T>(step: Promise<T>): Promise<T | undefined> {
  try {
    return await step;
  } catch (error) {
    if (error instanceof MqError && error.code === 'NOQUEUE') return undefined;
    throw error;
  }
}

/** A body is its number and dots. */
function nameOf(body: string): string {
  const [, number, dots] = /^(\d+)(\.*)$/.exec(body) ?? [];
  return dots === undefined ? `altered: ${body}` : `${number}+${dots.length}`;
}
