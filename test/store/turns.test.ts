import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { SqliteStore } from '../../src/store/sqlite/sqlite.ts';
import type { Store } from '../../src/store/store.ts';
import { newRamFolder } from '../ram.ts';
import { ALL, packed, SILENT } from './messages.ts';

const folder = newRamFolder('mq-turns-');
afterAll(() => rmSync(folder, { recursive: true }));

/** Messages enough that putting them one by one takes several turns of any kind. */
const MANY = 6000;

describe('SqliteStore: others have their turn while', () => {
  const made = join(folder, 'made');
  let path: string;
  let store: Store;
  beforeAll(async () => {
    store = new SqliteStore(made, SILENT, Date.now);
    await Promise.all(
      Array.from({ length: MANY }, (_, i) => store.put('q', packed(`${i}`), { priority: 0 })),
    );
    await store.end();
  });
  beforeEach(() => {
    path = join(mkdtempSync(join(folder, 's-')), 'store');
    copyFileSync(made, path);
    store = new SqliteStore(path, SILENT, Date.now);
  });
  afterEach(() => store.end());

  /** How many steps others had in the meantime. */
  async function turnsOf(step: Promise<unknown>): Promise<number> {
    let isDone = false;
    const done = step.finally(() => {
      isDone = true;
    });
    let turns = 0;
    for (; !isDone; turns++) {
      await store.put('other', packed('x'), { priority: 0 });
      await new Promise((resolve) => setImmediate(resolve));
    }
    await done;
    return turns;
  }

  const stat = (queue = 'q') => store.stat(queue);

  /** All of them, on lease. */
  async function leases(): Promise<string[]> {
    const tokens: string[] = [];
    for (;;) {
      const { runs, isPart } = await store.lease('q', ALL, 3600e3);
      tokens.push(...runs.flatMap((run) => run.leases?.tokens ?? []));
      if (!isPart) return tokens;
    }
  }

  test('many are taken, done, and given back', async () => {
    const ids: { first: number; last: number }[] = [];
    let parts = 0;
    for (let isPart = true; isPart; parts++) {
      const taken = await store.take('q', ALL);
      ids.push(...taken.runs.map(({ id }) => ({ first: id, last: id })));
      isPart = taken.isPart;
    }
    expect(parts).toBeGreaterThan(1);
    expect(ids).toHaveLength(MANY);
    await store.settle('q', ids.slice(0, MANY / 2), 'returned');
    expect(await stat()).toMatchObject({ waiting: MANY / 2, held: MANY / 2 });
    expect(await turnsOf(store.settle('q', ids.slice(MANY / 2), 'done'))).toBeGreaterThan(1);
    expect(await stat()).toMatchObject({ waiting: MANY / 2, held: 0, done: MANY / 2 });
  });

  test('many leases are taken, extended, failed, returned and done', async () => {
    const tokens = await leases();
    expect(tokens).toHaveLength(MANY);
    expect(await turnsOf(store.extend('q', tokens, 7200e3))).toBeGreaterThan(1);
    expect(await turnsOf(store.settleLeases('q', tokens, 'failed', 0))).toBeGreaterThan(1);
    expect(await stat()).toMatchObject({ waiting: MANY, failed: MANY });
    expect(await turnsOf(store.settleLeases('q', await leases(), 'returned'))).toBeGreaterThan(1);
    expect(await turnsOf(store.settleLeases('q', await leases(), 'done'))).toBeGreaterThan(1);
    expect(await stat()).toMatchObject({ waiting: 0, leased: 0, done: MANY });
  });

  test('the queue is purged: what is put meanwhile stays', async () => {
    const purging = store.purge('q');
    await store.put('q', packed('new'), { priority: 0 });
    expect(await turnsOf(purging)).toBeGreaterThan(1);
    expect(await purging).toBe(MANY);
    expect(await stat()).toMatchObject({ waiting: 1 });
  });

  test('it is removed: a new one of that name has nothing of it, nor has its key', async () => {
    await store.put('q', packed('keyed'), { priority: 0, key: 'k' });
    const removing = store.remove('q', true);
    await store.put('q', packed('new'), { priority: 0, key: 'k' });
    await removing;
    expect(await stat()).toMatchObject({ waiting: 1, put: 1 });
    await store.end();
    store = new SqliteStore(path, SILENT, Date.now);
    expect(await store.put('q', packed('again'), { priority: 0, key: 'k' })).toEqual({ stored: 1 });
    expect(await stat()).toMatchObject({ waiting: 1, put: 1 });
  });
});

describe('SqliteStore: many leases in one request', () => {
  let store: Store;
  let tokens: string[];
  beforeEach(async () => {
    store = new SqliteStore(join(mkdtempSync(join(folder, 's-')), 'store'), SILENT, Date.now);
    await store.put('q', packed(...Array.from({ length: MANY }, (_, i) => `${i}`)), { priority: 0 });
    tokens = [];
    for (let isPart = true; isPart; ) {
      const leased = await store.lease('q', ALL, 3600e3);
      tokens.push(...leased.runs.flatMap((run) => run.leases?.tokens ?? []));
      isPart = leased.isPart;
    }
  });
  afterEach(() => store.end());
  const NOLEASE = { code: 'NOLEASE' };

  test('where one is not there, nothing has happened', async () => {
    await expect(store.settleLeases('q', [...tokens, '1.1'], 'done')).rejects.toMatchObject(NOLEASE);
    expect(await store.stat('q')).toMatchObject({ leased: MANY, done: 0 });
  });

  test('one that goes while the others are settled is said, and they are settled', async () => {
    const last = tokens.at(-1) as string;
    const settling = store.settleLeases('q', tokens, 'done');
    while (((await store.stat('q'))?.done ?? 0) === 0) await new Promise((resolve) => setImmediate(resolve));
    await store.settleLeases('q', [last], 'returned');
    await expect(settling).rejects.toMatchObject(NOLEASE);
    expect(await store.stat('q')).toMatchObject({ leased: 0, done: MANY - 1, waiting: 1 });
  });

  test('asked for again it is answered the same', async () => {
    const once = { client: 'c', seq: 1, acked: 0 };
    await store.create('q.dead', {});
    await store.configure('q', { max_attempts: 1 });
    expect(await store.settleLeases('q', tokens, 'failed', undefined, once)).toBe(MANY);
    expect(await store.settleLeases('q', tokens, 'failed', undefined, once)).toBe(MANY);
    expect(await store.stat('q.dead')).toMatchObject({ waiting: MANY });
  });
});
