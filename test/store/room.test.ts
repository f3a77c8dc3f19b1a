import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, describe, expect, test } from 'vitest';
import { pack } from '../../src/packed.ts';
import { rangeOf } from '../../src/store/run.ts';
import { SqliteStore } from '../../src/store/sqlite/sqlite.ts';
import type { Store } from '../../src/store/store.ts';
import { newRamFolder } from '../ram.ts';
import { until } from '../until.ts';
import { ALL, bodiesOf, messagesOf, packed, SILENT } from './messages.ts';

const folder = newRamFolder('mq-room-');
afterAll(() => rmSync(folder, { recursive: true }));

const MB = 1024 * 1024;
const newPath = () => join(mkdtempSync(join(folder, 's-')), 'store');
const open = (path: string) => new SqliteStore(path, SILENT, Date.now);
const sizeOf = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

/** Puts so many MB, and gets them. */
async function through(store: Store, megabytes: number): Promise<void> {
  const chunk = pack(Array.from({ length: 64 }, () => Buffer.alloc(MB / 64)));
  for (let i = 0; i < megabytes; i++) await store.put('q', chunk, { priority: 0 });
  for (;;) {
    const { runs } = await store.take('q', { count: 640, bytes: Infinity });
    if (runs.length === 0) return;
    await store.settle('q', runs.map(rangeOf), 'done');
  }
}

// They wait for a timer of the store most of the time, each in a folder of its own.
describe.concurrent('room is given back', () => {
  test('of a file and its log, a while after it was used', async () => {
    const path = newPath();
    const store = open(path);
    await store.put('kept', packed('a'), { priority: 0 });
    await through(store, 100);
    // Large, and behind much that has gone: it is moved.
    const large = Array.from({ length: 1000 }, (_, i) => `${i}`.padEnd(1000, '.'));
    for (let i = 0; i < 20; i++) await store.put('q', pack([Buffer.alloc(MB)]), { priority: 0 });
    await store.put('large', packed(...large), { priority: 0 });
    await through(store, 0);
    expect(sizeOf(path)).toBeGreaterThan(80 * MB);
    await until(() => sizeOf(path) < 6 * MB && sizeOf(`${path}-wal`) === 0);
    await store.put('kept', packed('b'), { priority: 0 });
    expect(bodiesOf(messagesOf((await store.take('kept', ALL)).runs))).toEqual(['a', 'b']);
    expect(bodiesOf(messagesOf((await store.take('large', ALL)).runs))).toEqual(large);
    await store.end();
    const db = new DatabaseSync(path);
    expect(db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
    db.close();
  });

  test('what is used again and again stays', async () => {
    const path = newPath();
    const store = open(path);
    const end = Date.now() + 8000;
    await through(store, 40);
    const size = sizeOf(path);
    while (Date.now() < end) {
      await through(store, 40);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(sizeOf(path)).toBeGreaterThan(size / 2);
    await store.end();
  });
});

describe.concurrent('a file of an earlier version', () => {
  const mode = (path: string) => readFileSync(path).readUInt32BE(64);

  test('is written anew when the store may rest', async () => {
    const path = newPath();
    copyFileSync('test/data/store-3.sqlite', path);
    let store = open(path);
    await through(store, 40);
    const states = await store.list();
    const messages = await Promise.all(states.map(({ name }) => store.peek(name, ALL)));
    await store.rest();
    expect(sizeOf(path)).toBeLessThan(MB);
    // Where the header of the file has it (https://sqlite.org/fileformat.html#the_database_header).
    expect(mode(path)).toBe(1);
    const same = async () => {
      expect(await store.list()).toEqual(states);
      expect(await Promise.all(states.map(({ name }) => store.peek(name, ALL)))).toEqual(messages);
    };
    await same();
    await store.end();
    store = open(path);
    await same();
    await through(store, 40);
    await until(() => sizeOf(path) < 6 * MB);
    await store.end();
  });

  test('stays as it is while much of it is in use', async () => {
    const path = newPath();
    copyFileSync('test/data/store-3.sqlite', path);
    const store = open(path);
    await store.put('q', pack([Buffer.alloc(17 * MB)]), { priority: 0 });
    await store.rest();
    expect(mode(path)).toBe(0);
    await store.purge('q');
    await store.rest();
    expect(mode(path)).toBe(1);
    await store.end();
  });

  test('stays as it is where it is damaged', async () => {
    const path = newPath();
    copyFileSync('test/data/store-3.sqlite', path);
    let store = open(path);
    await store.put('q', pack([Buffer.alloc(17 * MB)]), { priority: 0 });
    await store.end();
    const db = new DatabaseSync(path);
    // Nothing here looks into it.
    const { rootpage } =
      db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'ready_by_age'").get() ?? {};
    db.close();
    const bytes = readFileSync(path);
    bytes.fill(0xa5, (Number(rootpage) - 1) * 4096, Number(rootpage) * 4096);
    writeFileSync(path, bytes);
    store = open(path);
    await store.purge('q');
    const size = sizeOf(path);
    await store.rest();
    expect(mode(path)).toBe(0);
    expect(sizeOf(path)).toBe(size);
    await store.end();
  });
});
