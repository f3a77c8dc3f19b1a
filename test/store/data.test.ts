import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { STEPS } from '../../src/store/sqlite/schema.ts';
import { SqliteStore } from '../../src/store/sqlite/sqlite.ts';
import { ALL, bodiesOf, loaded, messagesOf, packed, SILENT } from './messages.ts';

const DATA = 'test/data';
const files = readdirSync(DATA).filter((name) => name.endsWith('.sqlite'));

/** Queues that the files of layout 1 do not have. */
const LATER = ['tasks', 'lost', 'nightly', 'nightly.dead', 'large', 'held/up'];

describe.each(files)('a store of an earlier version, %s', (file) => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'mq-data-'));
    path = join(folder, 'store');
    copyFileSync(join(DATA, file), path);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test('opens, and has its queues and messages', async () => {
    const store = new SqliteStore(path, SILENT, Date.now);
    const states = await store.list();
    expect(
      states
        .filter(({ name }) => !LATER.includes(name))
        .map(({ name, kind, maxsize, closed }) => [name, kind, maxsize, closed]),
    ).toEqual([
      ['by/priority', 'priority', 0, false],
      ['closed', 'fifo', 0, true],
      ['empty', 'fifo', 0, false],
      ['half', 'fifo', 0, false],
      ['limited', 'fifo', 2, false],
      ['sent', 'fifo', 0, false],
      ['stack', 'lifo', 0, false],
    ]);
    const bodies = async (queue: string) => bodiesOf(messagesOf(await store.peek(queue, ALL)));
    expect(await bodies('half')).toEqual(['c', 'd', 'f', 'g', 'h']);
    expect(await bodies('stack')).toEqual(['three', 'two\n\0\xff', '', 'one']);
    expect(await bodies('by/priority')).toEqual(['minus five', 'minus five too', 'zero', 'five']);
    expect(await bodies('limited')).toEqual(['x', 'y']);
    expect(await bodies('closed')).toEqual(['last words']);
    expect(await bodies('empty')).toEqual([]);
    expect(await store.stat('half')).toMatchObject({
      ...{ waiting: 5, held: 0, leased: 0, delayed: 0, put: 8, got: 3, done: 3 },
      ...{ max_attempts: 5, retry_delay: 1000, dead_letter: '' },
    });
    const [first] = messagesOf(await store.peek('half', ALL));
    expect(new Date(first?.putAt ?? 0).getFullYear()).toBeGreaterThan(2000);
    await store.end();
  });

  test('can be gone on with, and is of this layout then', async () => {
    const store = new SqliteStore(path, SILENT, Date.now);
    expect(await store.put('limited', packed('z'), { priority: 0 })).toEqual({ stored: 0, lacking: 'FULL' });
    await store.put('half', packed('i'), { priority: 0 });
    const { runs } = await store.take('half', ALL);
    expect(bodiesOf(messagesOf(runs))).toEqual(['c', 'd', 'f', 'g', 'h', 'i']);
    await store.end();
    const db = new DatabaseSync(path);
    expect(db.prepare('PRAGMA user_version').get()).toEqual({ user_version: STEPS.length });
    expect(db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
    db.close();
  });
});

describe('a store of layout 2 on', () => {
  const later = files.filter((file) => file !== 'store-1.sqlite');
  test.each(later)('has its leases, delays and failures: %s', async (file) => {
    const folder = mkdtempSync(join(tmpdir(), 'mq-data-'));
    copyFileSync(join(DATA, file), join(folder, 'store'));
    const store = new SqliteStore(join(folder, 'store'), SILENT, Date.now);
    expect(await store.stat('tasks')).toMatchObject({
      ...{ waiting: 3, delayed: 1, leased: 1, put: 6, got: 5, failed: 3, dead: 1, done: 0 },
      ...{ max_attempts: 2, retry_delay: 5, dead_letter: 'lost' },
    });
    expect(messagesOf(await store.peek('tasks', ALL))).toMatchObject([
      { body: 'has failed', failures: 1 },
      { body: 'waits', failures: 0 },
      { body: 'mortal', failures: 0 },
    ]);
    expect(messagesOf(await store.peek('lost', ALL))).toMatchObject([{ body: 'dead', failures: 0 }]);
    expect(await store.put('tasks', packed('x'), { priority: 0, key: 'k' })).toEqual({ stored: 1 });
    expect(await store.stat('tasks')).toMatchObject({ put: 6 });
    await store.end();
    rmSync(folder, { recursive: true });
  });
});

const YEAR = 365 * 86400e3;

describe('a store of layout 3 on', () => {
  const later = files.filter((file) => !['store-1.sqlite', 'store-2.sqlite'].includes(file));
  test.each(later)(
    'has its clock, and what it answered; a dead letter has its origin and its key: %s',
    async (file) => {
      const folder = mkdtempSync(join(tmpdir(), 'mq-data-'));
      copyFileSync(join(DATA, file), join(folder, 'store'));
      let due = Infinity;
      const events = {
        ...SILENT,
        due: (milliseconds: number) => {
          due = milliseconds;
        },
      };
      const store = new SqliteStore(join(folder, 'store'), events, () => 0);
      expect(await store.put('nightly', packed('x'), { priority: 0, key: 'night' })).toEqual({ stored: 1 });
      // The end of a lease, by a clock that goes on where it was.
      expect(due / YEAR).toBeCloseTo(100, 0);
      expect(await store.stat('nightly')).toMatchObject({ waiting: 0, put: 1, dead: 1 });
      await store.put('nightly', packed('x'), { priority: 0 });
      const once = { client: 'client-1', seq: 1, acked: 0 };
      expect(await store.move('nightly', 'other', 1, once)).toBe(0);
      expect(await store.stat('nightly')).toMatchObject({ waiting: 1 });
      await store.end();
      const db = new DatabaseSync(join(folder, 'store'));
      const origins = `SELECT name FROM batch JOIN origin_queue ON origin_queue.id = origin_queue WHERE origin_id > 0`;
      expect(db.prepare(origins).all()).toEqual([{ name: 'tasks' }, { name: 'nightly' }]);
      db.close();
      rmSync(folder, { recursive: true });
    },
  );
});

describe('a store of layout 6 on', () => {
  test.each(files.filter((file) => file >= 'store-6.sqlite'))('has its large messages: %s', async (file) => {
    const folder = mkdtempSync(join(tmpdir(), 'mq-data-'));
    copyFileSync(join(DATA, file), join(folder, 'store'));
    const store = new SqliteStore(join(folder, 'store'), SILENT, Date.now);
    const bodies = bodiesOf(messagesOf(await loaded(await store.peek('large', ALL))));
    expect(bodies.map((body) => [body.length, body[0]])).toEqual([
      [1024 * 1024 + 1, 'x'],
      [5, 's'],
    ]);
    await store.end();
    rmSync(folder, { recursive: true });
  });
});

describe('a store of layout 7 on', () => {
  test.each(files.filter((file) => file >= 'store-7.sqlite'))('has its paused queue: %s', async (file) => {
    const folder = mkdtempSync(join(tmpdir(), 'mq-data-'));
    copyFileSync(join(DATA, file), join(folder, 'store'));
    const store = new SqliteStore(join(folder, 'store'), SILENT, Date.now);
    expect(await store.stat('held/up')).toMatchObject({ paused: true, waiting: 1 });
    expect((await store.take('held/up', ALL)).runs).toEqual([]);
    await store.resume('held/up');
    expect(bodiesOf(messagesOf((await store.take('held/up', ALL)).runs))).toEqual(['nobody gets it']);
    await store.end();
    rmSync(folder, { recursive: true });
  });
});

describe('checksums', () => {
  const numbers = (path: string, sql: string) => {
    const db = new DatabaseSync(path);
    const rows = db.prepare(sql).all().map(Object.values);
    db.close();
    return rows.flat();
  };

  test.each(files)('what is put has one, what was put before layout 5 has none: %s', async (file) => {
    const folder = mkdtempSync(join(tmpdir(), 'mq-data-'));
    const path = join(folder, 'store');
    copyFileSync(join(DATA, file), path);
    const isLater = file >= 'store-5.sqlite';
    const store = new SqliteStore(path, SILENT, Date.now);
    await store.put('new', packed('a', 'b'), { priority: 0 });
    await store.end();
    // A large message has one in each of its chunks.
    const without = `SELECT count(*) FROM batch WHERE checksum IS NULL AND messages <> x''`;
    expect(numbers(path, without)[0]).toBe(isLater ? 0 : numbers(path, 'SELECT count(*) - 1 FROM batch')[0]);
    rmSync(folder, { recursive: true });
  });

  test('it is CRC-32 of the bytes, begun with the number of messages', () => {
    const folder = mkdtempSync(join(tmpdir(), 'mq-data-'));
    const path = join(folder, 'store');
    copyFileSync(join(DATA, 'store-5.sqlite'), path);
    const { bytes } = packed('one', '', 'two\n\0\xff');
    const sql = `SELECT checksum FROM batch WHERE messages = x'${bytes.toString('hex')}'`;
    expect(numbers(path, sql)).toEqual([crc32(bytes, 3)]);
    rmSync(folder, { recursive: true });
  });
});

test('there is a file of every layout', () => {
  expect(files.toSorted()).toEqual(STEPS.map((_, i) => `store-${i + 1}.sqlite`).toSorted());
  for (const file of files) {
    // Where the header of the file has it (https://sqlite.org/fileformat.html#the_database_header).
    expect(`store-${readFileSync(join(DATA, file)).readUInt32BE(60)}.sqlite`).toBe(file);
  }
});
