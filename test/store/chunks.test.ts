import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, describe, expect, test } from 'vitest';
import { isLarge, pack } from '../../src/packed.ts';
import { SqliteStore } from '../../src/store/sqlite/sqlite.ts';
import type { Store } from '../../src/store/store.ts';
import { newRamFolder } from '../ram.ts';
import { until } from '../until.ts';
import { ALL, bodiesOf, loaded, messagesOf, packed, SILENT } from './messages.ts';

const folder = newRamFolder('mq-chunks-');
afterAll(() => rmSync(folder, { recursive: true }));

const MB = 1024 * 1024;
const newPath = () => join(mkdtempSync(join(folder, 's-')), 'store');
const openAt = (path: string) => new SqliteStore(path, SILENT, Date.now);
const large = (letter: string, megabytes = 4) => pack([Buffer.alloc(megabytes * MB, letter)]);
const putLarge = (store: Store, queue: string, letter: string) =>
  store.put(queue, large(letter), { priority: 0 });

/** The store's files as they are at this moment, opened as the next daemon would. */
function copyOf(path: string): string {
  const copy = newPath();
  for (const suffix of ['', '-wal'])
    if (existsSync(path + suffix)) copyFileSync(path + suffix, copy + suffix);
  return copy;
}

function rowsOf(path: string, table: string): number {
  const db = new DatabaseSync(copyOf(path));
  const { count } = db.prepare(`SELECT count(*) AS count FROM ${table}`).get() as { count: number };
  db.close();
  return count;
}

describe('SqliteStore: a large message', () => {
  test('lets others have their turn while it is stored, and while it is read', async () => {
    const store = openAt(newPath());
    let others = 0;
    let isDone = false;
    const ask = async () => {
      while (!isDone) {
        await store.stat('q');
        await new Promise((resolve) => setImmediate(resolve));
        others += 1;
      }
    };
    const asking = ask();
    await store.put('q', large('x', 16), { priority: 0 });
    expect(others).toBeGreaterThan(1);
    others = 0;
    await loaded(await store.peek('q', ALL));
    expect(others).toBeGreaterThan(1);
    isDone = true;
    await asking;
    await store.end();
  });

  test('leaves nothing in the file when it is done, dropped, or its queue removed', async () => {
    const path = newPath();
    const store = openAt(path);
    for (const queue of ['done', 'purged', 'removed']) await putLarge(store, queue, 'x');
    expect(rowsOf(path, 'chunk')).toBeGreaterThan(20);
    await store.take('done', ALL);
    await store.settle('done', [{ first: 1, last: 1 }], 'done');
    await store.purge('purged');
    await store.remove('removed', true);
    await until(() => rowsOf(path, 'chunk') === 0 && rowsOf(path, 'unused') === 0);
    await store.end();
  });

  test('that was refused, or not stored before a crash, leaves nothing in the file', async () => {
    const path = newPath();
    const store = openAt(path);
    await store.create('full', { maxsize: 1 });
    await store.put('full', packed('a'), { priority: 0 });
    expect(await putLarge(store, 'full', 'x')).toEqual({ stored: 0, lacking: 'FULL' });
    expect(rowsOf(path, 'chunk')).toBe(0);
    const putting = store.put('q', large('x', 32), { priority: 0 });
    await until(() => rowsOf(path, 'chunk') > 0);
    const crashed = copyOf(path);
    await putting;
    const next = openAt(crashed);
    expect(await next.stat('q')).toBeUndefined();
    // Messages that are put at once have chunks of their own.
    await putLarge(next, 'q', 'y');
    await until(() => rowsOf(crashed, 'unused') === 0);
    const [message] = messagesOf(await loaded(await next.peek('q', ALL)));
    expect(message?.body === 'y'.repeat(4 * MB)).toBe(true);
    expect(rowsOf(crashed, 'chunk')).toBe(9);
    await next.end();
    await store.end();
  });

  test('can be read to its end by whoever began, though it is dropped', async () => {
    const store = openAt(newPath());
    await putLarge(store, 'q', 'x');
    const [run] = await store.peek('q', ALL);
    if (run === undefined || !isLarge(run.messages)) throw new Error('it is not large');
    let size = 0;
    for await (const piece of run.messages.pieces()) {
      if (size === 0) await store.purge('q');
      size += piece.length;
    }
    expect(size).toBe(run.messages.size);
    await store.end();
  });

  test('that was altered is DAMAGED, and then in the way of those behind it only', async () => {
    const path = newPath();
    const store = openAt(path);
    await store.put('q', packed('a'), { priority: 0 });
    await putLarge(store, 'q', 'x');
    await store.end();
    const db = new DatabaseSync(path);
    db.exec('UPDATE chunk SET bytes = zeroblob(length(bytes)) WHERE id = 5');
    db.close();
    const damaged = openAt(path);
    const code = { code: 'DAMAGED' };
    await expect(damaged.peek('q', ALL).then(loaded)).rejects.toMatchObject(code);
    await expect(damaged.peek('q', ALL)).rejects.toMatchObject(code);
    expect(bodiesOf(messagesOf((await damaged.take('q', ALL)).runs))).toEqual(['a']);
    await expect(damaged.take('q', ALL)).rejects.toMatchObject(code);
    expect(await damaged.purge('q')).toBe(1);
    await damaged.end();
  });
});
