import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { StatementSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { SqliteStore } from '../../src/store/sqlite/sqlite.ts';
import type { Store } from '../../src/store/store.ts';
import { newRamFolder } from '../ram.ts';
import { ALL, bodiesOf, messagesOf, packed, SILENT } from './messages.ts';

const folder = newRamFolder('mq-parts-');
afterAll(() => rmSync(folder, { recursive: true }));

const newFolder = () => mkdtempSync(join(folder, 's-'));
const openAt = (path: string) => new SqliteStore(path, SILENT, Date.now);
const put = (store: Store, queue: string, ...bodies: string[]) =>
  store.put(queue, packed(...bodies), { priority: 0 });
const waiting = async (store: Store, queue: string) => bodiesOf(messagesOf(await store.peek(queue, ALL)));

describe('SqliteStore: when much is due at once', () => {
  test('it does a part of it, and then asks for its next turn at once', async () => {
    let now = 1_000_000;
    let due = Infinity;
    const events = {
      ...SILENT,
      due: (milliseconds: number) => {
        due = now + milliseconds;
      },
    };
    const store = new SqliteStore(join(newFolder(), 'store'), events, () => now);
    const many = Array.from({ length: 5000 }, (_, i) => `${i}`);
    await put(store, 'leased', ...many);
    while ((await store.lease('leased', ALL, 1000)).isPart);
    await Promise.all(many.map((body) => store.put('delayed', packed(body), { priority: 0, delay: 1000 })));
    now += 2000;
    let turns = 0;
    for (; due <= now; turns++) {
      due = Infinity;
      await store.runDue();
      expect((await store.stat('leased'))?.waiting).toBeLessThanOrEqual(2000 * (turns + 1));
    }
    expect(turns).toBeGreaterThan(1);
    for (const queue of ['leased', 'delayed']) expect(await waiting(store, queue)).toEqual(many);
    await store.end();
  });
});

test('SqliteStore: when nothing is due, looking for it writes nothing, and tells again when something will be', async () => {
  const told: number[] = [];
  const events = { ...SILENT, due: (milliseconds: number) => told.push(milliseconds) };
  const store = new SqliteStore(join(newFolder(), 'store'), events, () => 1_000_000);
  await store.put('q', packed('a'), { priority: 0, delay: 5000 });
  told.length = 0;
  const run = vi.spyOn(StatementSync.prototype, 'run');
  await store.runDue();
  expect(run).not.toHaveBeenCalled();
  expect(told).toEqual([5000]);
  run.mockRestore();
  await store.end();
});

describe('SqliteStore: a move in parts', () => {
  const MANY = 20_000;
  const made = join(folder, 'made');
  let store: SqliteStore;
  let path: string;
  beforeAll(async () => {
    store = openAt(made);
    await Promise.all(Array.from({ length: MANY }, (_, i) => put(store, 'from', `${i}`)));
    await store.end();
  });
  beforeEach(() => {
    path = join(newFolder(), 'store');
    copyFileSync(made, path);
    store = openAt(path);
  });
  afterEach(() => store.end());

  /** When a part was moved. */
  const somePart = async () => {
    while (((await store.stat('to'))?.waiting ?? 0) === 0) await new Promise(setImmediate);
  };
  const all = Array.from({ length: MANY }, (_, i) => `${i}`);
  const whereAll = async () => {
    const there = await waiting(store, 'from');
    const moved = (await store.stat('to')) ? await waiting(store, 'to') : [];
    return { there, moved };
  };

  test('others come between: each message is in one queue or the other, and what is put meanwhile stays', async () => {
    const move = store.move('from', 'to');
    await somePart();
    await put(store, 'from', 'new');
    const [from, to] = (await store.list()).map((each) => each.waiting) as [number, number];
    expect(from).toBeGreaterThan(1);
    expect(from + to).toBe(MANY + 1);
    expect(await move).toBe(MANY);
    expect(await waiting(store, 'from')).toEqual(['new']);
    expect(await waiting(store, 'to')).toEqual(all);
  });

  test('goes on where both queues get other names meanwhile; so do a purge and a close now', async () => {
    const move = store.move('from', 'to', MANY - 9);
    await somePart();
    await Promise.all([store.rename('from', 'from 2'), store.rename('to', 'to 2')]);
    await put(store, 'from', 'new');
    expect(await move).toBe(MANY - 9);
    expect(await waiting(store, 'from')).toEqual(['new']);
    expect(await waiting(store, 'from 2')).toEqual(all.slice(-9));
    expect(await waiting(store, 'to 2')).toEqual(all.slice(0, -9));
    await store.move('to 2', 'to 3', 10);
    const close = store.close('to 2', true);
    while (((await store.stat('to 2'))?.waiting ?? 0) === MANY - 19) await new Promise(setImmediate);
    await store.rename('to 2', 'to 4');
    await close;
    expect(await store.stat('to 4')).toMatchObject({ waiting: 0, closed: 'now' });
  });

  test.each(['drop', 'moveIds'] as const)('of single messages goes on too: %s', async (act) => {
    const entries = await store.look('from', { from: 1, count: Infinity, bytes: Infinity });
    const ids = entries.map(({ run }) => run.id).slice(9);
    const acted = act === 'drop' ? store.drop('from', ids) : store.moveIds('from', 'to', ids);
    while ((await store.stat('from'))?.waiting === MANY) await new Promise(setImmediate);
    await store.rename('from', 'from 2');
    expect(await acted).toMatchObject({ count: MANY - 9, missing: [] });
    expect(await waiting(store, 'from 2')).toEqual(all.slice(0, 9));
  });

  test('to its own end it moves each once', async () => {
    const move = store.move('from', 'from');
    await put(store, 'from', 'new');
    expect(await move).toBe(MANY);
    const order = await waiting(store, 'from');
    expect(order.length).toBe(MANY + 1);
    expect(order.filter((body) => body !== 'new')).toEqual(all);
  });

  test.each(['FULL', 'CLOSED'])(
    'stops where the other queue is %s meanwhile, and says how far it came',
    async (code) => {
      await store.create('to', {});
      const move = store.move('from', 'to');
      await somePart();
      if (code === 'FULL') await store.configure('to', { maxsize: 1 });
      else await store.close('to', false);
      const error = await move.then(
        () => undefined,
        (error: unknown) => error,
      );
      const { there, moved } = await whereAll();
      expect(error).toMatchObject({ code, stored: moved.length });
      expect([...moved, ...there]).toEqual(all);
    },
  );

  test('asked for twice at once, it is done once, and both are answered the same', async () => {
    const once = { client: 'c', seq: 1, acked: 0 };
    const move = store.move('from', 'to', MANY - 5, once);
    await somePart();
    expect(await Promise.all([move, store.move('from', 'to', MANY - 5, once)])).toEqual([MANY - 5, MANY - 5]);
    expect(await waiting(store, 'from')).toEqual(all.slice(-5));
  });

  test('asked for again after a crash it goes on, and answers how many all were', async () => {
    const once = { client: 'c', seq: 1, acked: 0 };
    const move = store.move('from', 'to', undefined, once);
    await somePart();
    const copy = join(newFolder(), 'store');
    for (const suffix of ['', '-wal']) copyFileSync(path + suffix, copy + suffix);
    await move;
    await store.end();
    store = openAt(copy);
    const { there, moved } = await whereAll();
    expect(there.length).toBeGreaterThan(0);
    expect([...moved, ...there]).toEqual(all);
    await put(store, 'from', 'new');
    expect(await store.move('from', 'to', undefined, once)).toBe(MANY);
    expect(await waiting(store, 'to')).toEqual(all);
    expect(await waiting(store, 'from')).toEqual(['new']);
  });
});
