import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { DatabaseSync, StatementSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { pack } from '../../src/packed.ts';
import type { Kind } from '../../src/settings.ts';
import type { QueueState } from '../../src/store/queue-state.ts';
import { deadLetterOf } from '../../src/store/rules.ts';
import { tokensOf } from '../../src/store/run.ts';
import { toMqError } from '../../src/store/sqlite/database.ts';
import { SqliteStore } from '../../src/store/sqlite/sqlite.ts';
import type { Store } from '../../src/store/store.ts';
import { newRamFolder } from '../ram.ts';
import { until } from '../until.ts';
import { storeContract } from './contract.ts';
import { ALL, bodiesOf, idsOf, type Message, messagesOf, packed, SILENT } from './messages.ts';

const folder = newRamFolder('mq-store-');
afterAll(() => rmSync(folder, { recursive: true }));

const newFolder = () => mkdtempSync(join(folder, 's-'));
const openAt = (path: string) => new SqliteStore(path, SILENT, Date.now);

storeContract(
  'SqliteStore',
  async (events, clock) => new SqliteStore(join(newFolder(), 'store'), events, clock),
);

const put = (store: Store, queue: string, ...bodies: string[]) =>
  store.put(queue, packed(...bodies), { priority: 0 });
const take = async (store: Store, queue: string, count = Infinity) =>
  messagesOf((await store.take(queue, { count, bytes: Infinity })).runs);
const waiting = async (store: Store, queue: string) => bodiesOf(messagesOf(await store.peek(queue, ALL)));
const refusal = (code: string) => expect.objectContaining({ code });

test('a step that comes while the store ends is refused, or is on disk when it has happened', async () => {
  const path = join(newFolder(), 'store');
  const syncs: (() => void)[] = [];
  const sync = () => new Promise<void>((resolve) => syncs.push(resolve));
  const store = new SqliteStore(path, SILENT, Date.now, sync);
  await put(store, 'q', 'before');
  const ended = store.end();
  await until(() => syncs.length === 1);
  const late = put(store, 'q', 'late').then(() => store.synced());
  // The store could close its file now, while the late one waits for a sync of it.
  syncs[0]?.();
  await expect(late).rejects.toEqual(refusal('STOPPED'));
  await expect(store.stat('q')).rejects.toEqual(refusal('STOPPED'));
  await ended;
  const next = openAt(path);
  expect(await waiting(next, 'q')).toEqual(['before']);
  await next.end();
});

describe('SqliteStore: after it was ended and opened again', () => {
  let path: string;
  let store: Store;
  beforeEach(() => {
    path = join(newFolder(), 'store');
    store = openAt(path);
  });
  afterEach(() => store.end());
  const reopen = async () => {
    await store.end();
    store = openAt(path);
  };

  test('queues are as they were', async () => {
    await store.create('a', { kind: 'lifo', maxsize: 9 });
    await put(store, 'a', '1', '2', '');
    await put(store, 'b', 'x');
    await store.settle('b', idsOf(await take(store, 'b')), 'done');
    await store.close('b', false);
    const before = await store.list();
    await reopen();
    expect(await store.list()).toEqual(before);
    expect(await waiting(store, 'a')).toEqual(['', '2', '1']);
    expect(await put(store, 'b', 'y')).toEqual({ stored: 0, lacking: 'CLOSED' });
  });

  test.each(['returned', 'failed', 'done', 'ran out'] as const)(
    'a lease that was taken before counts for one: %s',
    async (outcome) => {
      await put(store, 'q', 'a', 'b');
      const { runs } = await store.lease('q', ALL, outcome === 'ran out' ? 1 : 60_000);
      const leases = tokensOf(runs);
      await reopen();
      if (outcome === 'ran out') {
        await until(async () => {
          await store.runDue();
          return (await store.stat('q'))?.leased === 0;
        });
      } else if (outcome === 'returned') await store.returnLeases('q', leases);
      else await store.settleLeases('q', leases, outcome, 0);
      const left = outcome === 'done' ? 0 : 2;
      expect(await store.stat('q')).toMatchObject({ waiting: left, leased: 0, delayed: 0 });
      expect(await waiting(store, 'q')).toHaveLength(left);
    },
  );

  test.each<[Kind, string[]]>([
    ['fifo', ['a', 'c', 'e', 'f', 'h']],
    ['lifo', ['h', 'f', 'e', 'c', 'a']],
    ['priority', ['e', 'f', 'h', 'a', 'c']],
  ])('a half-consumed %s queue is still half consumed', async (kind, left) => {
    await store.create('q', { kind });
    const priority = kind === 'priority' ? 1 : 0;
    await store.put('q', packed('a', 'b', 'c', 'd'), { priority });
    await store.put('q', packed('e', 'f', 'g', 'h'), { priority: 0 });
    const messages = await take(store, 'q');
    await store.settle('q', idsOf(messages.filter(({ body }) => !left.includes(body))), 'done');
    await reopen();
    expect(await waiting(store, 'q')).toEqual(left);
    expect(await store.stat('q')).toMatchObject({ waiting: 5, held: 0, put: 8, got: 3 });
    const again = await take(store, 'q', 3);
    await store.settle('q', idsOf(again), 'done');
    await reopen();
    expect(await waiting(store, 'q')).toEqual(left.slice(3));
  });

  test('what was held is waiting, in its place', async () => {
    await put(store, 'q', 'a', 'b', 'c');
    await take(store, 'q', 2);
    await reopen();
    expect(await waiting(store, 'q')).toEqual(['a', 'b', 'c']);
  });

  test('what was held in a queue that was closed now is dropped', async () => {
    await put(store, 'q', 'a', 'b', 'c');
    await take(store, 'q', 2);
    await store.close('q', true);
    await reopen();
    expect(await store.stat('q')).toMatchObject({ waiting: 0, held: 0, closed: 'now' });
    await store.open('q');
    await put(store, 'q', 'd');
    expect(await waiting(store, 'q')).toEqual(['d']);
  });

  test('ids are not used again, though the store was empty', async () => {
    await put(store, 'q', 'a', 'b', 'c');
    const before = await take(store, 'q');
    await store.settle('q', idsOf(before), 'done');
    await store.remove('q', false);
    await reopen();
    await put(store, 'q', 'd');
    const [fresh] = (await take(store, 'q')) as [Message];
    expect(fresh.id).toBeGreaterThan(Math.max(...before.map(({ id }) => id)));
  });

  test('the position of a client is known, unless it was forgotten', async () => {
    const putAs = (id: string) =>
      store.put('q', packed(`from ${id}`), { priority: 0, client: { id, index: 0 } });
    await putAs('x');
    await putAs('y');
    store.forget('y');
    await reopen();
    await putAs('x');
    await putAs('y');
    expect(await waiting(store, 'q')).toEqual(['from x', 'from y', 'from y']);
  });

  test('what was asked for once is known, unless it was forgotten', async () => {
    await put(store, 'q', 'a', 'b', 'c', 'd');
    const move = (client: string) => store.move('q', 'other', 1, { client, seq: 1, acked: 0 });
    await move('x');
    await move('y');
    store.forget('y');
    await reopen();
    expect([await move('x'), await move('y')]).toEqual([1, 1]);
    expect(await waiting(store, 'other')).toEqual(['a', 'b', 'c']);
  });

  test.each(['ended', 'killed'])(
    'its clock does not run back, whoever set the clock back since it was %s',
    async (how) => {
      await store.end();
      let now = Date.now();
      const openNow = () => new SqliteStore(path, SILENT, () => now);
      store = openNow();
      await store.put('delayed', packed('a'), { priority: 0, delay: 8000 });
      await store.put('mortal', packed('a'), { priority: 0, ttl: 8000 });
      await put(store, 'leased', 'a');
      await store.lease('leased', ALL, 8000);
      now += 3000;
      await put(store, 'any', 'a');
      now += 500;
      const states = async () =>
        [await store.stat('delayed'), await store.stat('mortal'), await store.stat('leased')].map(
          (state) => state?.waiting,
        );
      if (how === 'killed') {
        const copy = join(newFolder(), 'store');
        for (const suffix of ['', '-wal']) copyFileSync(path + suffix, copy + suffix);
        path = copy;
      }
      await store.end();
      now -= 86400e3;
      store = openNow();
      const lost = how === 'killed' ? 500 : 0;
      now += 4400 + lost;
      await store.runDue();
      expect(await states()).toEqual([0, 1, 0]);
      now += 100;
      await store.runDue();
      expect(await states()).toEqual([1, 0, 1]);
      const wall = Date.now();
      await put(store, 'later', 'a');
      const [{ putAt }] = messagesOf(await store.peek('later', ALL)) as [Message];
      expect(putAt - wall).toBeLessThan(10_000);
      // Where the clock was set forward it is followed: nobody knows for how long no daemon ran.
      await store.put('distant', packed('a'), { priority: 0, delay: 86400e3 });
      await store.end();
      now += 2 * 86400e3;
      store = openNow();
      await store.runDue();
      expect(await store.stat('distant')).toMatchObject({ waiting: 1 });
    },
  );

  test('of many queues those that are in use are kept, and the others read again', async () => {
    await put(store, 'held', 'a', 'b');
    const [held] = (await take(store, 'held', 1)) as [Message];
    for (let i = 0; i < 3000; i++) await put(store, `q${i}`, `${i}`);
    expect(await store.stat('held')).toMatchObject({ held: 1, waiting: 1 });
    expect((await store.list()).length).toBe(3001);
    await store.settle('held', idsOf([held]), 'returned');
    expect(await waiting(store, 'held')).toEqual(['a', 'b']);
    expect(await waiting(store, 'q0')).toEqual(['0']);
    await put(store, 'q0', 'more');
    expect(await store.stat('q0')).toMatchObject({ waiting: 2, put: 2 });
  });

  test('a rename that fails at any statement has not happened, in the file and in memory', async () => {
    await put(store, 'q.dead', 'a');
    await store.create('q', {});
    await store.create('gives', { dead_letter: 'q.dead' });
    const { run } = StatementSync.prototype;
    for (let fatal = 1, isDone = false; !isDone; fatal++) {
      let count = 0;
      const spy = vi.spyOn(StatementSync.prototype, 'run').mockImplementation(function (
        this: StatementSync,
        ...values
      ) {
        if (++count === fatal) throw new Error('it fails');
        return run.apply(this, values);
      });
      isDone = await store.rename('q.dead', 'new').then(
        () => true,
        () => false,
      );
      spy.mockRestore();
      const name = isDone ? 'new' : 'q.dead';
      for (let i = 0; i < 2; i++) {
        const all = await store.list();
        expect(all.map((each) => each.name)).toEqual(['gives', ...(isDone ? ['new', 'q'] : ['q', 'q.dead'])]);
        for (const each of ['gives', 'q'])
          expect(deadLetterOf(each, (await store.stat(each)) as QueueState)).toBe(name);
        expect(await waiting(store, name)).toEqual(['a']);
        await reopen();
      }
      if (isDone) expect(fatal).toBeGreaterThan(5);
    }
  });

  test('a dead letter has its origin, until it is moved', async () => {
    const origins = async () => {
      await store.end();
      const db = new DatabaseSync(path);
      const rows = db
        .prepare(
          `SELECT origin_id AS id, origin_queue.name FROM batch
          LEFT JOIN origin_queue ON origin_queue.id = origin_queue ORDER BY first`,
        )
        .all();
      const names = db.prepare('SELECT name FROM origin_queue').all();
      db.close();
      store = openAt(path);
      return { rows: rows.map((row) => ({ ...row })), names: names.map(({ name }) => name) };
    };
    const giveUp = async (queue: string) => {
      await store.create(queue, {});
      await store.configure(queue, { max_attempts: 1 });
      const { runs } = await store.lease(queue, ALL, 1000);
      await store.settleLeases(queue, tokensOf(runs), 'failed');
      return messagesOf(runs).map(({ id }) => id);
    };
    await put(store, 'q', 'a', 'b');
    const ids = await giveUp('q');
    expect((await origins()).rows).toEqual(ids.map((id) => ({ id, name: 'q' })));
    await store.rename('q', 'new');
    expect((await origins()).rows).toEqual(ids.map((id) => ({ id, name: 'new' })));
    await store.rename('new', 'q');
    await store.remove('q', false);
    expect((await origins()).rows).toEqual(ids.map((id) => ({ id, name: 'q' })));
    await store.move('q.dead', 'q.dead', 1);
    expect((await origins()).rows).toEqual(ids.toReversed().map((id) => ({ id, name: 'q' })));
    const again = await giveUp('q.dead');
    expect((await origins()).rows).toEqual(again.map((id) => ({ id, name: 'q.dead' })));
    await store.move('q.dead.dead', 'q', 1);
    await store.move('q.dead.dead', 'q.dead', 1);
    const { rows, names } = await origins();
    expect(rows).toEqual([
      { id: null, name: null },
      { id: null, name: null },
    ]);
    expect(names).toEqual(['q.dead']);
    // Names that are no origin any more are forgotten when the store is opened.
    expect((await origins()).names).toEqual([]);
  });

  test('the file is for its user alone', async () => {
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await put(store, 'q', 'a');
    expect(statSync(`${path}-wal`).mode & 0o777).toBe(0o600);
  });
});

describe('SqliteStore: after a crash', () => {
  /** The store as the disk had it at this moment, opened as by the next daemon. */
  const copyOf = (path: string) => {
    const copy = join(newFolder(), 'store');
    for (const suffix of ['', '-wal'])
      if (existsSync(path + suffix)) copyFileSync(path + suffix, copy + suffix);
    return openAt(copy);
  };

  test.each<Kind>(['fifo', 'lifo', 'priority'])(
    'what a put to a %s queue returned from is there, and what was held is waiting',
    async (kind) => {
      const path = join(newFolder(), 'store');
      const store = openAt(path);
      await store.create('q', { kind });
      await put(store, 'q', 'a', 'b', 'c', 'd');
      await put(store, 'q', 'e');
      const order = await waiting(store, 'q');
      const [first, second] = (await take(store, 'q', 3)) as [Message, Message, Message];
      await store.settle('q', idsOf([second]), 'done');
      const copy = copyOf(path);
      expect(await waiting(copy, 'q')).toEqual([order[0], order[2], order[3], order[4]]);
      expect(await copy.stat('q')).toMatchObject({ held: 0, put: 5, got: 1 });
      // The consumer that outlived the daemon says what it has done.
      expect(await copy.takeIds('q', idsOf([first, second]))).toEqual(idsOf([first]));
      await copy.settle('q', idsOf([first]), 'done');
      expect(await waiting(copy, 'q')).toEqual(order.slice(2));
      await copy.end();
      await store.end();
    },
  );

  test('ids are not used again, though the store was empty, and though ids are set aside many at a time', async () => {
    const path = join(newFolder(), 'store');
    const store = openAt(path);
    for (const count of [1, 30_000]) {
      await put(store, 'q', ...Array.from({ length: count }, () => 'a'));
      const before = await take(store, 'q');
      await store.settle('q', idsOf(before), 'done');
      const copy = copyOf(path);
      await put(copy, 'q', 'b');
      const [{ id }] = (await take(copy, 'q')) as [Message];
      expect(id).toBeGreaterThan((before.at(-1) as Message).id);
      await copy.end();
    }
    await store.end();
  });

  test('a message that was given up on is in a queue that was closed now', async () => {
    const path = join(newFolder(), 'store');
    const store = openAt(path);
    await store.create('q', { max_attempts: 1 });
    await store.create('q.dead', {});
    await store.close('q.dead', true);
    await put(store, 'q', 'a');
    const { runs } = await store.lease('q', ALL, 1000);
    await store.settleLeases('q', tokensOf(runs), 'failed');
    const copy = copyOf(path);
    expect(await waiting(copy, 'q.dead')).toEqual(['a']);
    await copy.end();
    await store.end();
  });

  test('a killed process leaves all that it said was stored', async () => {
    const path = join(newFolder(), 'store');
    const { signal, stdout } = inProcess(
      `
      const store = new SqliteStore(path, { changed() {}, due() {} }, Date.now);
      for (let i = 0; i < 50; i++) {
        await store.put('q', pack([Buffer.from(String(i))]), { priority: 0 });
      }
      await store.take('q', { count: 10, bytes: Infinity });
      await store.settle('q', [{ first: 1, last: 5 }], 'done');
      require('node:fs').writeSync(1, 'stored');
      process.kill(process.pid, 'SIGKILL');
      await new Promise(() => setInterval(() => {}, 1000));
    `,
      path,
    );
    expect([signal, stdout]).toEqual(['SIGKILL', 'stored']);
    const store = openAt(path);
    expect(await waiting(store, 'q')).toEqual(Array.from({ length: 45 }, (_, i) => `${i + 5}`));
    await store.end();
  });
});

/** Runs this in a process of its own: locks on files are a process's. */
function inProcess(script: string, path: string) {
  const head = `
    import { createRequire } from 'node:module';
    import { SqliteStore } from ${JSON.stringify(resolve('src/store/sqlite/sqlite.ts'))};
    import { pack } from ${JSON.stringify(resolve('src/packed.ts'))};
    const require = createRequire('/');
    const path = process.argv[1];
  `;
  const args = ['--input-type=module', '-e', head + script, path];
  return spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000, killSignal: 'SIGTERM' });
}

describe('SqliteStore: a file that is refused', () => {
  const refused = (path: string, code: string) => {
    const before = readFileSync(path);
    expect(() => openAt(path)).toThrow(refusal(code));
    expect(readFileSync(path).equals(before)).toBe(true);
  };

  test('one that another process has open is INUSE, until that ends it', async () => {
    const path = join(newFolder(), 'store');
    const store = openAt(path);
    await put(store, 'q', 'a');
    const tryIt = () =>
      inProcess(
        `
          try {
            const store = new SqliteStore(path, { changed() {}, due() {} }, Date.now);
            console.log((await store.stat('q')).waiting);
            await store.end();
          } catch (error) {
            console.log(error.code);
          }
        `,
        path,
      ).stdout.trim();
    expect(tryIt()).toBe('INUSE');
    expect(await put(store, 'q', 'b')).toEqual({ stored: 1 });
    await store.end();
    expect(tryIt()).toBe('2');
  });

  test('garbage is DAMAGED, and stays as it is', () => {
    const path = join(newFolder(), 'store');
    writeFileSync(path, Buffer.alloc(20_000, 'no database at all\n'));
    refused(path, 'DAMAGED');
  });

  test('a short file that is no store is DAMAGED, and stays as it is', () => {
    const path = join(newFolder(), 'store');
    writeFileSync(path, 'note to myself');
    refused(path, 'DAMAGED');
  });

  test.each([100, 600, 5000, 100_000])(
    'a store that was cut off after %d bytes is DAMAGED, and stays as it is',
    async (length) => {
      const path = join(newFolder(), 'store');
      const store = openAt(path);
      for (let i = 0; i < 10; i++) await put(store, 'q', 'x'.repeat(30_000));
      await store.end();
      truncateSync(path, length);
      refused(path, 'DAMAGED');
    },
  );

  test('a store with a page of other bytes is DAMAGED, and stays as it is', async () => {
    const path = join(newFolder(), 'store');
    const store = openAt(path);
    await store.create('other', {});
    for (let i = 0; i < 500; i++) await put(store, 'q', 'x'.repeat(100));
    await store.end();
    const bytes = readFileSync(path);
    bytes.fill(0xa5, bytes.length - 8192, bytes.length - 4096);
    writeFileSync(path, bytes);
    refused(path, 'DAMAGED');
  });

  test("another program's database is DAMAGED, and stays as it is", () => {
    const path = join(newFolder(), 'store');
    const db = new DatabaseSync(path);
    db.exec('CREATE TABLE queue (id INTEGER PRIMARY KEY); INSERT INTO queue VALUES (1)');
    db.close();
    refused(path, 'DAMAGED');
  });

  test('the store of a newer mq is DAMAGED, and stays as it is', async () => {
    const path = join(newFolder(), 'store');
    await openAt(path).end();
    const db = new DatabaseSync(path);
    db.exec('PRAGMA user_version = 1000');
    db.close();
    refused(path, 'DAMAGED');
  });

  test('an empty file is a new store', async () => {
    const path = join(newFolder(), 'store');
    writeFileSync(path, '');
    const store = openAt(path);
    expect(await put(store, 'q', 'a')).toEqual({ stored: 1 });
    await store.end();
  });

  const NO_FILES: [string, (path: string) => void][] = [
    ['a folder', (path) => mkdirSync(path)],
    ['a named pipe', (path) => execFileSync('/usr/bin/mkfifo', [path])],
    [
      'a link to a store',
      (path) => {
        copyFileSync('test/data/store-1.sqlite', `${path}-other`);
        symlinkSync(`${path}-other`, path);
      },
    ],
    ['a link to nothing', (path) => symlinkSync('nothing', path)],
    ['a link to itself', (path) => symlinkSync('store', path)],
    ['a link to a device', (path) => symlinkSync('/dev/null', path)],
  ];
  test.each(
    NO_FILES.flatMap(([what, make]) => ['store', 'store-wal'].map((name) => [what, name, make] as const)),
  )('%s as %s is NOTALLOWED, and stays as it is', (_, name, make) => {
    const place = newFolder();
    make(join(place, name));
    const before = readdirSync(place);
    expect(() => openAt(join(place, 'store'))).toThrow(refusal('NOTALLOWED'));
    expect(readdirSync(place)).toEqual(before);
  });

  // A superuser may read and write all files.
  test.skipIf(process.getuid?.() === 0).each([0o400, 0o200, 0])(
    'a file with the rights %o is NOTALLOWED, and stays as it is',
    (mode) => {
      const path = join(newFolder(), 'store');
      copyFileSync('test/data/store-3.sqlite', path);
      chmodSync(path, mode);
      expect(() => openAt(path)).toThrow(refusal('NOTALLOWED'));
    },
  );

  test('a folder that is not there is IOERROR', () => {
    expect(() => openAt(join(newFolder(), 'nothing', 'store'))).toThrow(refusal('IOERROR'));
  });

  test('a file that turns out damaged later is DAMAGED, and left alone from then on', async () => {
    const path = join(newFolder(), 'store');
    const store = openAt(path);
    await put(store, 'q', 'a', 'b');
    await store.end();
    const damaged = openAt(path);
    // So that no page of it is in SQLite's cache.
    await damaged.put('p', pack([Buffer.alloc(20_000_000)]), { priority: 0 });
    const fd = openSync(path, 'r+');
    writeSync(fd, Buffer.alloc(statSync(path).size - 4096, 0xa5), 0, undefined, 4096);
    closeSync(fd);
    await expect(damaged.take('q', ALL)).rejects.toEqual(refusal('DAMAGED'));
    await expect(put(damaged, 'q', 'c')).rejects.toEqual(refusal('DAMAGED'));
    const before = readFileSync(path);
    await damaged.end();
    expect(readFileSync(path).equals(before)).toBe(true);
  });
});

const disk = join(folder, 'disk');
/** @returns why it cannot be done here; undefined when it was */
function mountSmallDisk(): string | undefined {
  mkdirSync(disk);
  try {
    execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', 'size=2m', 'mq-test', disk], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return `no small disk can be mounted here: ${String(error).split('\n', 1)[0]}`;
  }
}

describe('SqliteStore: a full disk', () => {
  let whyNoDisk: string | undefined;
  beforeAll(() => {
    whyNoDisk = mountSmallDisk();
  });
  afterAll(() => {
    if (whyNoDisk === undefined) execFileSync('/bin/umount', ['--lazy', disk]);
  });

  const ballast = join(disk, 'ballast');
  let path: string;
  let store: Store;
  beforeEach((context) => {
    if (whyNoDisk !== undefined) context.skip(whyNoDisk);
    path = join(mkdtempSync(join(disk, 's-')), 'store');
    writeFileSync(ballast, Buffer.alloc(1024 * 1024));
    store = openAt(path);
  });
  afterEach(async () => {
    if (whyNoDisk !== undefined) return;
    await store.end();
    rmSync(ballast, { force: true });
    rmSync(join(path, '..'), { recursive: true });
  });

  /** Puts until there is no room; answers what was stored. */
  const fill = async () => {
    const stored: string[] = [];
    for (let i = 0; i < 1000; i++) {
      const bodies = Array.from({ length: 10 }, (_, j) => `${i}.${j}`.padEnd(3000, '.'));
      try {
        expect(await put(store, 'q', ...bodies)).toEqual({ stored: 10 });
      } catch (error) {
        expect(error).toEqual(refusal('DISKFULL'));
        return stored;
      }
      stored.push(...bodies);
    }
    throw new Error('the disk did not fill');
  };

  test('puts fail as a whole, and go on when there is room again', async () => {
    const stored = await fill();
    expect(stored.length).toBeGreaterThan(10);
    expect(await waiting(store, 'q')).toEqual(stored);
    expect(await store.stat('q')).toMatchObject({ waiting: stored.length, put: stored.length });
    rmSync(ballast);
    expect(await put(store, 'q', 'more')).toEqual({ stored: 1 });
    await store.end();
    store = openAt(path);
    expect(await waiting(store, 'q')).toEqual([...stored, 'more']);
  });

  test('a put that finds room for its first part only leaves nothing of it', async () => {
    await put(store, 'q', 'a');
    const before = await store.list();
    // More than SQLite's cache has room for: what is there is written before the last part is made.
    const large = pack(Array.from({ length: 200 }, () => Buffer.alloc(60_000)));
    await expect(store.put('q', large, { priority: 0 })).rejects.toEqual(refusal('DISKFULL'));
    expect(await store.list()).toEqual(before);
    rmSync(ballast);
    await put(store, 'q', 'b');
    expect(await store.stat('q')).toMatchObject({ waiting: 2, put: 2 });
    expect(await waiting(store, 'q')).toEqual(['a', 'b']);
  });

  test('where SQLite does not say why, it is found out', async () => {
    await fill();
    expect(() => writeFileSync(join(path, '../rest'), Buffer.alloc(1024 * 1024))).toThrow('ENOSPC');
    const errorOf = (errcode: number) =>
      toMqError(Object.assign(new Error('disk I/O error'), { code: 'ERR_SQLITE_ERROR', errcode }), path).code;
    // Of a write, and of the opening of a log.
    expect([778, 14].map(errorOf)).toEqual(['DISKFULL', 'DISKFULL']);
    // Of a read.
    expect(errorOf(266)).toBe('IOERROR');
    rmSync(join(path, '../rest'));
    rmSync(ballast);
    expect([778, 14].map(errorOf)).toEqual(['IOERROR', 'IOERROR']);
  });

  test('it ends in order', async () => {
    const stored = await fill();
    expect(() => writeFileSync(join(path, '../rest'), Buffer.alloc(1024 * 1024))).toThrow('ENOSPC');
    await store.end();
    rmSync(join(path, '../rest'));
    rmSync(ballast);
    store = openAt(path);
    expect(await waiting(store, 'q')).toEqual(stored);
  });

  test('a put that finds no room makes no queue, and moves no client on', async () => {
    const large = pack([Buffer.alloc(1024 * 1024)]);
    const options = { priority: 0, client: { id: 'x', index: 0 } };
    await expect(store.put('new', large, options)).rejects.toEqual(refusal('DISKFULL'));
    expect(await store.stat('new')).toBeUndefined();
    rmSync(ballast);
    expect(await store.put('new', packed('small'), options)).toEqual({ stored: 1 });
    expect(await waiting(store, 'new')).toEqual(['small']);
  });

  test('a put that finds no room does not fail the others of its turn', async () => {
    const results = await Promise.allSettled([
      put(store, 'q', 'before'),
      store.put('q', pack([Buffer.alloc(1024 * 1024)]), { priority: 0 }),
      take(store, 'q', 1),
      put(store, 'q', 'after'),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    expect(await waiting(store, 'q')).toEqual(['after']);
    expect(await store.stat('q')).toMatchObject({ waiting: 1, held: 1, put: 2 });
  });

  test('what is held stays held when a put fails', async () => {
    await put(store, 'q', 'a', 'b', 'c');
    const [a, b] = (await take(store, 'q', 2)) as [Message, Message];
    await store.takeIds('q', idsOf(messagesOf(await store.peek('q', ALL))));
    await expect(store.put('q', pack([Buffer.alloc(1024 * 1024)]), { priority: 0 })).rejects.toEqual(
      refusal('DISKFULL'),
    );
    expect(await store.stat('q')).toMatchObject({ waiting: 0, held: 3 });
    await store.settle('q', idsOf([b]), 'returned');
    expect(await waiting(store, 'q')).toEqual(['b']);
    await store.settle('q', idsOf([a]), 'returned');
    expect(await waiting(store, 'q')).toEqual(['a', 'b']);
  });

  test('takes go on; what cannot be recorded as done is DISKFULL, and still held', async () => {
    const stored = await fill();
    const held = await take(store, 'q', stored.length - 5);
    expect(bodiesOf(held)).toEqual(stored.slice(0, -5));
    const done: Message[] = [];
    for (const message of held) {
      try {
        await store.settle('q', idsOf([message]), 'done');
        done.push(message);
      } catch (error) {
        expect(error).toEqual(refusal('DISKFULL'));
      }
      const state = await store.stat('q');
      expect(state).toMatchObject({ waiting: 5, held: held.length - done.length, got: done.length });
    }
    await store.settle('q', idsOf(held), 'returned');
    const left = stored.filter((body) => !done.some((each) => each.body === body));
    expect(await waiting(store, 'q')).toEqual(left);
    rmSync(ballast);
    await store.settle('q', idsOf(await take(store, 'q', 3)), 'done');
    await store.end();
    store = openAt(path);
    expect(await waiting(store, 'q')).toEqual(left.slice(3));
  });

  test('purge, move, remove and close now change all or nothing', async () => {
    await put(store, 'held', 'h1', 'h2', 'h3');
    const [h1] = (await take(store, 'held', 1)) as [Message];
    const stored = await fill();
    const steps = [
      () => store.move('q', 'other'),
      () => store.close('held', true),
      () => store.purge('q'),
      () => store.remove('q', true),
    ];
    const isDone: boolean[] = [];
    for (const step of steps) {
      const before = await Promise.all([store.list(), waiting(store, 'held')]);
      try {
        await step();
        isDone.push(true);
      } catch (error) {
        expect(error).toEqual(refusal('DISKFULL'));
        expect(await Promise.all([store.list(), waiting(store, 'held')])).toEqual(before);
        isDone.push(false);
      }
    }
    rmSync(ballast);
    // A move writes everything anew, for which there was no room.
    expect(isDone[0]).toBe(false);
    if (!isDone[2] && !isDone[3]) {
      expect(await waiting(store, 'q')).toEqual(stored);
      expect(await store.purge('q')).toBe(stored.length);
    }
    await store.close('held', true);
    await store.settle('held', idsOf([h1]), 'returned');
    await store.end();
    store = openAt(path);
    expect((await store.list()).every((each) => each.waiting + each.held === 0)).toBe(true);
  });
});
