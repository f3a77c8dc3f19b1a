import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { MqError } from '../../src/errors.ts';
import type { Once } from '../../src/once.ts';
import type { Range } from '../../src/range.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { SqliteStore } from '../../src/store/sqlite/sqlite.ts';
import type { Events, Store } from '../../src/store/store.ts';
import { unreliable } from '../queue/unreliable-events.ts';
import { newRamFolder } from '../ram.ts';
import { Random, seeds } from '../random.ts';
import { ALL, idsIn, messagesOf, packed } from './messages.ts';

/** The same random steps on the reference and on SQLite have to have the same results, ids among them. */
const ROUNDS = 500;

describe('MemoryStore and SqliteStore agree', () => {
  let folder: string;
  beforeEach(() => {
    folder = newRamFolder('mq-agreement-');
    vi.useFakeTimers({ toFake: ['Date'], now: 1_700_000_000_000 });
    // Leases have the same tokens in both, and retries the same delays.
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
    rmSync(folder, { recursive: true });
  });

  test.each(seeds(3, 1))('on what random steps do (seed %d)', async (seed) => {
    const path = join(folder, 'store');
    const random = new Random(seed);
    const memory: MemoryStore = new MemoryStore(
      looking(() => memory, seed),
      Date.now,
    );
    const openSqlite = (): SqliteStore => {
      return new SqliteStore(
        path,
        looking(() => (isOpen ? sqlite : undefined), seed),
        Date.now,
      );
    };
    let sqlite = openSqlite();
    let isOpen = true;
    const steps = new Steps(random);
    for (let round = 0; round < ROUNDS; round++) {
      vi.setSystemTime(Date.now() + random.of([0, 1, 2, 5, 100]));
      // Steps of one round are asked for at once, so that they share a transaction in SQLite.
      const these = Array.from({ length: 1 + random.below(6) }, () => steps.next());
      const what = `seed ${seed}, round ${round}: ${these.map(({ name }) => name).join('; ')}`;
      const expected = await Promise.all(these.map(({ run }) => outcomeOf(run(memory))));
      const found = await Promise.all(these.map(({ run }) => outcomeOf(run(sqlite))));
      expect(found, what).toEqual(expected);
      steps.learn(found);
      if (random.below(40) === 0) {
        isOpen = false;
        await sqlite.end();
        expect(notAsReadyAsSaid(path), what).toEqual([]);
        sqlite = openSqlite();
        isOpen = true;
        for (const { name } of await memory.list()) await memory.settle(name, EVERYTHING, 'returned');
        for (const store of [memory, sqlite]) await store.runDue();
      }
      if (random.below(8) === 0) expect(await everythingIn(sqlite), what).toEqual(await everythingIn(memory));
    }
    expect(await everythingIn(sqlite)).toEqual(await everythingIn(memory));
    expect(steps.messages, 'the steps were worth something').toBeGreaterThan(100);
    isOpen = false;
    await sqlite.end();
  });
});

/** Events that come through as it happens, and by which somebody looks at the store, as those who wait do. */
function looking(store: () => Store | undefined, seed: number): Events {
  const events = {
    changed: (queue: string) => void store()?.take(queue, { count: 0, bytes: 0 }),
    due: () => void store()?.list(),
  };
  return unreliable(events, new Random(seed));
}

const EVERYTHING: Range[] = [{ first: 1, last: 2 ** 40 }];
const QUEUES = ['fifo', 'lifo', 'priority', 'limited', 'any', 'fifo.dead', 'another'];
const CLIENTS = ['x', 'y'];

interface Step {
  name: string;
  run: (store: Store) => Promise<unknown>;
}

/** Random steps that make sense more often than not. */
class Steps {
  readonly #random: Random;
  /** Greatest id that was seen. */
  #last = 1;
  /** The leases that were seen last. */
  #leases: string[] = [];
  #body = 0;
  #seq = 0;
  messages = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  learn(results: unknown[]): void {
    for (const each of results) {
      const messages = typeof each === 'object' && each && 'messages' in each ? each.messages : [];
      for (const { id, lease } of messages as { id: number; lease?: string }[]) {
        this.#last = Math.max(this.#last, id);
        if (lease !== undefined) this.#leases = [...this.#leases.slice(-30), lease];
        this.messages += 1;
      }
    }
  }

  next(): Step {
    const random = this.#random;
    const queue = random.of(QUEUES);
    const other = random.of(QUEUES);
    const ids = this.#ids();
    const limit = this.#limit();
    const once = this.#once();
    const settings = {
      ...(random.below(3) === 0 && { kind: random.of(['fifo', 'lifo', 'priority'] as const) }),
      ...(random.below(2) === 0 && { maxsize: random.of([0, 0, 3, 10, 50]) }),
      ...(random.below(3) === 0 && { max_attempts: random.of([0, 1, 2, 5]) }),
      ...(random.below(3) === 0 && { retry_delay: random.of([0, 3, 50]) }),
      ...(random.below(9) === 0 && { dead_letter: random.of(QUEUES) }),
      ...(random.below(3) === 0 && { max_leased: random.of([0, 0, 1, 3]) }),
    };
    const leases = Array.from({ length: random.of([1, 1, 1, 3]) }, () => random.of([...this.#leases, '1.1']));
    const ms = random.of([0, 1, 10, 100, 500]);
    const named = `${queue} ${JSON.stringify(ids)} ${JSON.stringify(limit)} ${JSON.stringify(settings)}`;
    const step = (verb: string, run: Step['run']): Step => ({ name: `${verb} ${named}`, run });
    const dice = random.below(130);
    if (dice >= 120) return { name: 'runDue', run: (store) => store.runDue() };
    if (dice >= 100) return this.#lease(queue, leases, ms);
    if (dice < 30) return this.#put(queue);
    if (dice < 50) {
      return step('take', async (store) => {
        const { runs, drained } = await store.take(queue, limit);
        return { messages: messagesOf(runs), drained };
      });
    }
    if (dice < 66) return step('done', (store) => store.settle(queue, ids, 'done'));
    if (dice < 76) return step('returned', (store) => store.settle(queue, ids, 'returned'));
    if (dice < 80) return step('these', async (store) => idsIn(await store.takeIds(queue, ids)));
    if (dice < 84)
      return step('peek', async (store) => ({ messages: messagesOf(await store.peek(queue, limit)) }));
    if (dice === 84 && random.below(4) === 0)
      return step(`pause ${JSON.stringify(once)}`, (store) => store.pause(queue, once));
    if (dice === 86)
      return step(`rename to ${other} ${JSON.stringify(once)}`, (store) => store.rename(queue, other, once));
    if (dice === 85) return step(`resume ${JSON.stringify(once)}`, (store) => store.resume(queue, once));
    if (dice === 84) {
      const state = random.of([undefined, 'waiting', 'delayed', 'leased'] as const);
      const from = Math.max(1, this.#last - random.below(1000));
      const what = `look ${from} ${state}`;
      return step(what, async (store) => {
        const entries = await store.look(queue, { from, ...limit, state });
        return entries.map(({ run, ...more }) => [messagesOf([run]), run.leases?.left, more]);
      });
    }
    if (dice < 88) return step('stat', (store) => store.stat(queue));
    if (dice < 91) {
      const count = random.below(2) === 0 ? undefined : random.below(20);
      return step(`move to ${other} ${count} ${JSON.stringify(once)}`, (store) =>
        store.move(queue, other, count, once),
      );
    }
    if (dice === 91) return this.#act(queue, other);
    if (dice < 93) return step('open', (store) => store.open(queue));
    if (dice === 93) return step('close', (store) => store.close(queue, false));
    if (dice === 94) return step('close now', (store) => store.close(queue, true));
    if (dice === 95) return step(`purge ${JSON.stringify(once)}`, (store) => store.purge(queue, once));
    if (dice === 96) {
      const isForced = random.below(2) === 0;
      const what = `remove ${isForced} ${JSON.stringify(once)}`;
      return step(what, (store) => store.remove(queue, isForced, once));
    }
    if (dice === 97) return step('create', (store) => store.create(queue, settings));
    if (dice === 98) return step('configure', (store) => store.configure(queue, settings));
    return this.#create();
  }

  /** An act on single messages. */
  #act(queue: string, other: string): Step {
    const random = this.#random;
    const once = this.#once();
    const ids = Array.from({ length: 1 + random.below(5) }, () =>
      Math.max(1, this.#last - random.below(100)),
    );
    const what = random.of(['retry', 'retry all', 'drop', 'move'] as const);
    return {
      name: `${what} ${queue} ${other} ${ids} ${JSON.stringify(once)}`,
      run: (store) => {
        if (what === 'move') return store.moveIds(queue, other, ids, once);
        if (what === 'drop') return store.drop(queue, ids, once);
        return store.retry(queue, what === 'retry' ? ids : undefined, once);
      },
    };
  }

  #lease(queue: string, leases: string[], ms: number): Step {
    const random = this.#random;
    const name = `${queue} ${leases} ${ms}`;
    const limit = {
      count: random.of([1, 1, 2, 5]),
      bytes: Infinity,
      atOnce: random.of([undefined, 0, 1, 2]),
    };
    const what = random.of([
      'lease',
      'lease',
      'lease',
      'done',
      'returned',
      'failed',
      'failed',
      'extend',
    ] as const);
    if (what === 'lease') {
      const run = async (store: Store) => {
        const { runs, isLimited, drained, finished } = await store.lease(queue, limit, ms + 1);
        return {
          messages: messagesOf(runs),
          left: runs.map((run) => run.leases?.left)[0],
          isLimited,
          drained,
          finished,
        };
      };
      return { name: `lease ${name} ${JSON.stringify(limit)}`, run };
    }
    if (what === 'extend')
      return { name: `extend ${name}`, run: (store) => store.extend(queue, leases, ms + 1) };
    const delay = random.of([undefined, ms]);
    const once = this.#once();
    return {
      name: `${what} ${name} ${delay} ${JSON.stringify(once)}`,
      run: (store) => store.settleLeases(queue, leases, what, delay, once),
    };
  }

  /** Now and then one that was there before. */
  #once(): Once | undefined {
    const random = this.#random;
    if (random.below(2) === 0) return undefined;
    this.#seq += 1;
    const seq = Math.max(0, this.#seq - random.of([0, 0, 0, 1, 2, 3]));
    return { client: random.of(CLIENTS), seq, acked: Math.max(0, seq - random.below(6)) };
  }

  /** Makes a queue with the settings that its name states. */
  #create(): Step {
    const name = this.#random.of(['fifo', 'lifo', 'priority', 'limited'] as const);
    const settings = name === 'limited' ? { maxsize: 10 } : { kind: name };
    return { name: `create ${name}`, run: (store) => store.create(name, settings) };
  }

  #put(queue: string): Step {
    const random = this.#random;
    const count = random.below(20) === 0 ? 700 : 1 + random.below(8);
    const padding = random.below(10) === 0 ? 20_000 : random.below(200);
    const bodies = Array.from({ length: count }, () =>
      random.below(20) === 0 ? '' : `${this.#body++}`.padEnd(count > 100 ? 100 : padding, '.'),
    );
    const priority = queue === 'priority' ? random.below(5) - 2 : 0;
    const client = random.below(3) === 0 ? { id: random.of(CLIENTS), index: random.below(40) } : undefined;
    const key = random.below(4) > 0 ? undefined : `key ${random.below(5)}`;
    const done =
      client || random.below(6) > 0 || this.#leases.length === 0
        ? undefined
        : { queue: random.of(QUEUES), lease: random.of(this.#leases) };
    const options = {
      priority,
      client,
      key,
      delay: random.of([undefined, undefined, 0, 5, 200]),
      ttl: random.of([undefined, undefined, undefined, 5, 300]),
      done,
      once: done && this.#once(),
      ids: random.below(2) === 0 ? undefined : { since: Math.max(0, (client?.index ?? 0) - random.below(5)) },
    };
    const these = key === undefined ? bodies : bodies.slice(0, 1);
    return {
      name: `put ${queue} ${these.length} ${JSON.stringify(options)}`,
      run: (store) => store.put(queue, packed(...these), options),
    };
  }

  #ids(): Range[] {
    const random = this.#random;
    return Array.from({ length: 1 + random.below(3) }, () => {
      const first = Math.max(1, this.#last - random.below(random.of([10, 100, 2000])));
      return { first, last: first + random.below(random.of([1, 5, 50, 1000])) };
    });
  }

  #limit() {
    const random = this.#random;
    const count = random.of([1, 3, 20, 1000, Infinity]);
    if (random.below(4) === 0) return { count, bytes: 1, id: Math.max(1, this.#last - random.below(30)) };
    return { count, bytes: random.of([1, 500, 100_000, Infinity]) };
  }
}

async function outcomeOf(step: Promise<unknown>): Promise<unknown> {
  try {
    return await step;
  } catch (error) {
    if (error instanceof MqError) return error.code;
    throw error;
  }
}

async function everythingIn(store: Store): Promise<unknown> {
  const states = await store.list();
  const queues = states.map(async ({ name }) => messagesOf(await store.peek(name, ALL)));
  return { states, messages: await Promise.all(queues) };
}

/** The batches of which the table `ready` says otherwise than the others do: see schema.ts. */
function notAsReadyAsSaid(path: string): unknown[] {
  const db = new DatabaseSync(path);
  const rows = db.prepare(`
    WITH right AS (
      SELECT queue, priority, first FROM batch WHERE due_at IS NULL AND count >
        (SELECT count(*) FROM message WHERE id >= first AND id < first + count AND until IS NOT NULL) +
        (SELECT coalesce(sum(gone.last - gone.first + 1), 0) FROM gone
         WHERE gone.first >= batch.first AND gone.first < batch.first + count)
    )
    SELECT 'missing', * FROM (SELECT * FROM right EXCEPT SELECT * FROM ready)
    UNION ALL SELECT 'there', * FROM (SELECT * FROM ready EXCEPT SELECT * FROM right)`);
  const all = rows.all();
  db.close();
  return all;
}
