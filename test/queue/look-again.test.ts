import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LOOK_AGAIN, LookAgain } from '../../src/queue/look-again.ts';
import { Queues } from '../../src/queue/queues.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { rangeOf } from '../../src/store/run.ts';
import { SqliteStore } from '../../src/store/sqlite/sqlite.ts';
import type { Events, Store } from '../../src/store/store.ts';
import { Random, seeds } from '../random.ts';
import { ALL, bodiesOf, messagesOf, packed } from '../store/messages.ts';
import { mute, unreliable } from './unreliable-events.ts';

const FOREVER = Infinity;
const ONE = { count: 1, bytes: Infinity };
const failed = (error: unknown) => expect.unreachable(String(error));

describe('LookAgain', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('looks at queues that are waited on, again and again', () => {
    const looks: string[] = [];
    const again = new LookAgain((queue) => looks.push(queue), 1000);
    again.begin('a');
    again.begin('a');
    again.begin('b');
    vi.advanceTimersByTime(1500);
    expect(new Set(looks)).toEqual(new Set(['a', 'b']));
    again.end('b');
    looks.length = 0;
    vi.advanceTimersByTime(15_000);
    expect(looks.length).toBeGreaterThanOrEqual(10);
    expect(new Set(looks)).toEqual(new Set(['a']));
    again.end('a');
    expect(vi.getTimerCount()).toBe(0);
  });

  test('does not look at many queues at once', () => {
    let looks = 0;
    const again = new LookAgain(() => looks++, 1000);
    for (let i = 0; i < 1000; i++) again.begin(`q${i}`);
    vi.advanceTimersByTime(600);
    expect(looks).toBeGreaterThan(10);
    expect(looks).toBeLessThan(400);
  });
});

describe('with a store that never tells anything', () => {
  const open = async () => {
    const queues = await Queues.open(async () => new MemoryStore(mute(), Date.now), failed);
    return { queues, owner: queues.enter() };
  };
  const someSeconds = () => vi.advanceTimersByTimeAsync(LOOK_AGAIN * 2);
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });
  afterEach(() => {
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  test('get has its message after some seconds', async () => {
    const { queues, owner } = await open();
    const getting = queues.get(owner, ['a', 'b'], { limit: ONE, timeout: FOREVER });
    await someSeconds();
    await queues.put(owner, 'b', packed('x'), { priority: 0 }, FOREVER);
    await someSeconds();
    expect(await getting).toMatchObject({ queue: 'b' });
  });

  test('put has room after some seconds', async () => {
    const { queues, owner } = await open();
    await queues.store.create('q', { maxsize: 1 });
    await queues.put(owner, 'q', packed('x'), { priority: 0 }, FOREVER);
    const putting = queues.put(owner, 'q', packed('y'), { priority: 0 }, FOREVER);
    await someSeconds();
    await queues.store.purge('q');
    await someSeconds();
    expect(await putting).toMatchObject({ stored: 1 });
  });

  test('a delayed message is given some seconds after its time', async () => {
    let clock = Date.now();
    const queues = await Queues.open(async () => new MemoryStore(mute(), () => clock), failed);
    const owner = queues.enter();
    await queues.put(owner, 'q', packed('x'), { priority: 0, delay: 1000 }, FOREVER);
    const getting = queues.get(owner, ['q'], { limit: ONE, timeout: FOREVER });
    clock += 1000;
    await someSeconds();
    expect(await getting).toMatchObject({ queue: 'q' });
  });

  test('join ends after some seconds', async () => {
    const { queues, owner } = await open();
    await queues.put(owner, 'q', packed('x'), { priority: 0 }, FOREVER);
    const joining = queues.join(owner, 'q', FOREVER);
    await someSeconds();
    await queues.store.purge('q');
    await someSeconds();
    expect(await joining).toBe(true);
  });
});

describe('with a store whose events come late, twice or not at all', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'mq-events-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const engines: [string, (events: Events) => Store][] = [
    ['MemoryStore', (events) => new MemoryStore(events, Date.now)],
    ['SqliteStore', (events) => new SqliteStore(join(folder, 'store'), events, Date.now)],
  ];
  const cases = engines.flatMap(([name, open]) => seeds(2, 1).map((seed) => [name, seed, open] as const));

  test.each(cases)('%s: each message is given once, and all waits end (seed %d)', async (_, seed, open) => {
    const random = new Random(seed);
    const queues = await Queues.open(async (events) => open(unreliable(events, random)), failed, 20);
    const names = ['a', 'b', 'c'];
    const messages = Array.from({ length: 60 }, (_, i) => String(i));
    const given = new Map<string, string[]>(names.map((name) => [name, []]));
    for (const name of names) await queues.store.create(name, { maxsize: 4 });

    const produce = async (name: string) => {
      const owner = queues.enter();
      for (let i = 0; i < messages.length; ) {
        const some = messages.slice(i, i + 1 + random.below(6));
        const { stored } = await queues.put(
          owner,
          name,
          packed(...some),
          { priority: 0, delay: random.of([undefined, 5]) },
          FOREVER,
        );
        i += stored;
      }
      await queues.store.close(name, false);
      expect(await queues.join(owner, name, FOREVER)).toBe(true);
    };
    const consume = async (these: string[], isLeasing: boolean) => {
      const owner = queues.enter();
      const lease = isLeasing ? { duration: 60_000, isBound: false } : undefined;
      for (;;) {
        const taken = await queues.get(owner, these, {
          limit: ONE,
          timeout: FOREVER,
          lease,
          until: 'finished',
        });
        if (taken === undefined) return;
        const { queue, runs } = taken;
        const tokens = runs.flatMap(({ leases }) => leases?.tokens ?? []);
        if (isLeasing && random.below(4) === 0) {
          await queues.settleLeases(queue, tokens, 'failed', random.below(10));
          continue;
        }
        given.get(queue)?.push(...bodiesOf(messagesOf(runs)));
        if (isLeasing) await queues.settleLeases(queue, tokens, 'done');
        else await queues.done(owner, queue, runs.map(rangeOf));
      }
    };
    const isOver = (error: unknown) => expect(error).toMatchObject({ code: 'CLOSED' });
    const consumers = [['a'], ['b', 'c'], ['c', 'a'], ['b'], names].map((these, i) =>
      consume(these, i % 2 === 1).catch(isOver),
    );
    await Promise.all([...names.map(produce), ...consumers]);
    for (const all of given.values())
      expect(all.map(Number).sort((a, b) => a - b)).toEqual(messages.map(Number));
    expect(await queues.store.peek('a', ALL)).toEqual([]);
    queues.end();
    await queues.store.end();
  });
});
