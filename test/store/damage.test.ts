import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, describe, expect, test } from 'vitest';
import { MqError } from '../../src/errors.ts';
import { tokensOf } from '../../src/store/run.ts';
import { SqliteStore } from '../../src/store/sqlite/sqlite.ts';
import type { Store } from '../../src/store/store.ts';
import { newRamFolder } from '../ram.ts';
import { Random, seeds } from '../random.ts';
import { ALL, bodiesOf, idsOf, messagesOf, packed, SILENT } from './messages.ts';

const folder = newRamFolder('mq-damage-');
afterAll(() => rmSync(folder, { recursive: true }));

let now = Date.now();
const openAt = (path: string) => new SqliteStore(path, SILENT, () => now);

/** The store's files as they are at this moment, in a folder of their own. */
function copyOf(path: string): string {
  const copy = join(mkdtempSync(join(folder, 's-')), 'store');
  for (const suffix of ['', '-wal'])
    if (existsSync(path + suffix)) copyFileSync(path + suffix, copy + suffix);
  return copy;
}

/** All that a store file says, but ids: a step that was tried twice has used some up. */
function contentOf(path: string): unknown {
  const db = new DatabaseSync(copyOf(path));
  const content = [
    `SELECT name, kind, maxsize, max_attempts, closed, size, put, got, delayed, leased, done, failed, dead, expired
    FROM queue ORDER BY name`,
    `SELECT queue.name, count, priority, expires_at, key, hex(messages), origin_id > 0,
      (SELECT sum(last - gone.first + 1) FROM gone WHERE gone.first BETWEEN batch.first AND batch.first + count - 1)
    FROM batch JOIN queue ON queue.id = queue ORDER BY first`,
    `SELECT queue.name, failures, lease > 0, until FROM message JOIN queue ON queue.id = queue ORDER BY message.id`,
    'SELECT client, seq, answer FROM answered ORDER BY client, seq',
    'SELECT id, stored FROM client ORDER BY id',
  ].map((sql) => db.prepare(sql).all());
  db.close();
  return content;
}

/**
 * A store in which the messages of one batch are damaged: each step changes all or nothing. Steps are
 * asked for at once, so that they share a transaction; those that were not refused have to leave what
 * they leave by themselves.
 */
describe('a step that meets damaged messages changes nothing, and no other step is changed by that', () => {
  test.each(seeds(12, 8))('seed %d', async (seed) => {
    const random = new Random(seed);
    const path = join(mkdtempSync(join(folder, 's-')), 'store');
    const leases = await fill(path, random);
    damage(path, random);
    // The leases have run out, and nobody has said so to the store.
    now += 6000;
    const twin = copyOf(path);
    const steps = Array.from({ length: 1 + random.below(4) }, (_, i) => stepOf(random, leases, i));
    const what = steps.map(({ name }) => name).join('; ');

    const store = openAt(path);
    const outcomes = await outcomesOf(store, steps);
    const other = openAt(twin);
    // A move is done in parts: what came before the damage has been moved.
    const accepted = steps.filter(({ name }, i) => outcomes[i] !== 'DAMAGED' || name.startsWith('move'));
    for (const [i, step] of accepted.entries()) {
      const [outcome] = await outcomesOf(other, [step]);
      expect(outcome, `${what}: ${step.name}`).toEqual(outcomes[steps.indexOf(accepted[i] as Step)]);
    }
    expect(contentOf(path), what).toEqual(contentOf(twin));
    await Promise.allSettled([store.end(), other.end()]);
  });
});

describe('of three batches the last is damaged', () => {
  const given = async (...bodies: string[]) => {
    const path = join(mkdtempSync(join(folder, 's-')), 'store');
    const store = openAt(path);
    await store.create('q', { max_attempts: 1 });
    for (const body of bodies) await put(store, 'q', body);
    return { path, store };
  };
  const refused = async (path: string, step: (store: Store) => Promise<unknown>) => {
    damage(path, new Random(1), 'first = 3');
    const before = contentOf(path);
    const store = openAt(path);
    await expect(step(store)).rejects.toMatchObject({ code: 'DAMAGED' });
    expect(contentOf(path)).toEqual(before);
    await store.end();
  };
  const large = (body: string) => body.padEnd(90_000, '.');

  test('all are moved unread, and found damaged where they are then', async () => {
    const { path, store } = await given(...['a', 'b', 'c'].map(large));
    await store.end();
    damage(path, new Random(1), 'first = 3');
    const damaged = openAt(path);
    expect(await damaged.move('q', 'other')).toBe(3);
    const { runs } = await damaged.take('other', ALL);
    expect(bodiesOf(messagesOf(runs))).toEqual(['a', 'b'].map(large));
    await expect(damaged.take('other', ALL)).rejects.toMatchObject({ code: 'DAMAGED' });
    await put(damaged, 'q', 'd');
    expect(bodiesOf(messagesOf((await damaged.take('q', ALL)).runs))).toEqual(['d']);
    await damaged.end();
  });

  test('those before it are moved where they have to be read, and the error says how many', async () => {
    const { path, store } = await given('a', 'b');
    await store.put('q', packed('c', 'd'), { priority: 0 });
    await store.end();
    damage(path, new Random(1), 'first = 3');
    const damaged = openAt(path);
    // Of the last batch one message only.
    const move = () => damaged.move('q', 'other', 3);
    await expect(move()).rejects.toMatchObject({ code: 'DAMAGED', stored: 2 });
    expect(bodiesOf(messagesOf(await damaged.peek('other', ALL)))).toEqual(['a', 'b']);
    await expect(damaged.move('q', 'other', 1)).rejects.toMatchObject({ code: 'DAMAGED', stored: undefined });
    expect(await damaged.stat('q')).toMatchObject({ waiting: 2 });
    await damaged.end();
  });

  test('none is given up on, when that is asked for all', async () => {
    const { path, store } = await given('a', 'b', 'c');
    const tokens = tokensOf((await store.lease('q', ALL, 1000)).runs);
    await store.end();
    await refused(path, (damaged) => damaged.settleLeases('q', tokens, 'failed'));
  });

  test('the others are given up on when the leases run out, and it waits again', async () => {
    const { path, store } = await given('a', 'b', 'c');
    await store.lease('q', ALL, 1000);
    await store.end();
    now += 2000;
    damage(path, new Random(1), 'first = 3');
    const damaged = openAt(path);
    await damaged.runDue();
    expect(await damaged.stat('q')).toMatchObject({ waiting: 1, leased: 0, failed: 2, dead: 2 });
    expect(await damaged.stat('q.dead')).toMatchObject({ waiting: 2 });
    await expect(damaged.take('q', ALL)).rejects.toMatchObject({ code: 'DAMAGED' });
    await damaged.end();
  });

  test.each(['take', 'lease'] as const)('%s gives those before it, and then none', async (verb) => {
    const { path, store } = await given('a', 'b', 'c', 'd');
    await store.end();
    damage(path, new Random(1), 'first = 3');
    const damaged = openAt(path);
    const next = () => (verb === 'take' ? damaged.take('q', ALL) : damaged.lease('q', ALL, 1000));
    expect(bodiesOf(messagesOf((await next()).runs))).toEqual(['a', 'b']);
    await expect(next()).rejects.toMatchObject({ code: 'DAMAGED', message: expect.stringContaining(path) });
    expect(await damaged.stat('q')).toMatchObject({ waiting: 2, [verb === 'take' ? 'held' : 'leased']: 2 });
    await damaged.end();
  });

  test('peek shows none, all else goes on, and the file is as it was', async () => {
    const { path, store } = await given('a', 'b', 'c');
    await put(store, 'other', 'x');
    await store.end();
    damage(path, new Random(1), 'first = 3');
    const damaged = openAt(path);
    const before = contentOf(path);
    await expect(damaged.peek('q', ALL)).rejects.toMatchObject({ code: 'DAMAGED' });
    expect(bodiesOf(messagesOf(await damaged.peek('q', { count: 2, bytes: Infinity })))).toEqual(['a', 'b']);
    expect((await damaged.list()).map(({ name, waiting }) => [name, waiting])).toEqual([
      ['other', 1],
      ['q', 3],
    ]);
    expect(contentOf(path)).toEqual(before);
    expect(bodiesOf(messagesOf((await damaged.take('other', ALL)).runs))).toEqual(['x']);
    await put(damaged, 'q', 'd');
    expect(await damaged.purge('q')).toBe(4);
    await put(damaged, 'q', 'e');
    expect(bodiesOf(messagesOf((await damaged.take('q', ALL)).runs))).toEqual(['e']);
    await damaged.end();
  });
});

describe('a batch from before there were checksums', () => {
  test.each([0, 1, 2, 3])('is damaged where it cannot be read: %d', async (how) => {
    const path = join(mkdtempSync(join(folder, 's-')), 'store');
    const store = openAt(path);
    await put(store, 'q', 'a', 'b');
    await store.end();
    const db = new DatabaseSync(path);
    db.exec('UPDATE batch SET checksum = NULL');
    const alterations = ['count = 1', 'count = 3', "messages = x'24352431'", 'priority = 0'];
    db.exec(`UPDATE batch SET ${alterations[how]}`);
    db.close();
    const opened = openAt(path);
    const taken = opened.take('q', ALL);
    if (alterations[how] === 'priority = 0')
      expect(bodiesOf(messagesOf((await taken).runs))).toEqual(['a', 'b']);
    else await expect(taken).rejects.toMatchObject({ code: 'DAMAGED' });
    await opened.end();
  });
});

interface Step {
  name: string;
  run: (store: Store) => Promise<unknown>;
}

const QUEUES = ['fifo', 'lifo', 'priority'] as const;

const put = (store: Store, queue: string, ...bodies: string[]) =>
  store.put(queue, packed(...bodies), { priority: 0 });

/** @returns leases of messages that the next failure gives up, and of others, by queue */
async function fill(path: string, random: Random): Promise<Map<string, string[]>> {
  const store = openAt(path);
  const leases = new Map<string, string[]>();
  // So that a move reads its batches in several parts.
  const length = random.of([10, 40_000]);
  for (const kind of QUEUES) {
    await store.create(kind, { kind, max_attempts: random.of([1, 2]) });
    for (let i = 0; i < 3 + random.below(4); i++) {
      const bodies = Array.from({ length: 1 + random.below(5) }, (_, j) =>
        `${kind} ${i}.${j}`.padEnd(length, '.'),
      );
      const ttl = random.of([undefined, undefined, 10_000]);
      await store.put(kind, packed(...bodies), { priority: 0, ttl });
    }
    const { runs } = await store.lease(kind, { count: 1 + random.below(8), bytes: Infinity }, 5000);
    leases.set(kind, tokensOf(runs));
    const held = messagesOf((await store.take(kind, { count: random.below(3), bytes: Infinity })).runs);
    if (held.length > 0) await store.settle(kind, idsOf(held), 'done');
  }
  await store.end();
  return leases;
}

function damage(path: string, random: Random, which = '1'): void {
  const db = new DatabaseSync(path);
  const rows = db.prepare(`SELECT first, messages FROM batch WHERE ${which}`).all();
  const { first, messages } = random.of(rows as { first: number; messages: Uint8Array }[]);
  const bytes = Buffer.from(messages);
  // Where the length of the first message stands, or not as long as it was.
  if (random.below(2) === 0) bytes[random.below(2)] = 0xa5;
  const altered = bytes[0] === 0xa5 || bytes[1] === 0xa5 ? bytes : bytes.subarray(0, bytes.length - 3);
  db.prepare('UPDATE batch SET messages = ? WHERE first = ?').run(altered, first);
  db.close();
}

function stepOf(random: Random, leases: Map<string, string[]>, seq: number): Step {
  const queue = random.of(QUEUES);
  const other = random.of([...QUEUES, 'new']);
  const tokens = leases.get(queue) as string[];
  const these = tokens.slice(0, 1 + random.below(tokens.length));
  const count = random.of([undefined, 1, 5, 100]);
  const once = { client: 'c', seq, acked: 0 };
  const limit = { count: count ?? Infinity, bytes: Infinity };
  const step = (verb: string, run: Step['run']): Step => ({
    name: `${verb} ${queue} ${other} ${count}`,
    run,
  });
  return random.of([
    step('move', (store) => store.move(queue, other, count, once)),
    step('move', (store) => store.move(queue, other, count)),
    step(`fail ${these.length}`, (store) => store.settleLeases(queue, these, 'failed', 100, once)),
    step(`done ${these.length}`, (store) => store.settleLeases(queue, these, 'done')),
    step(`returned ${these.length}`, (store) => store.settleLeases(queue, these, 'returned')),
    step('lease', async (store) => messagesOf((await store.lease(queue, limit, 1000)).runs).length),
    step('take', async (store) => {
      const messages = messagesOf((await store.take(queue, limit)).runs);
      await store.settle(queue, idsOf(messages), 'done');
      return messages.length;
    }),
    step('purge', (store) => store.purge(queue, once)),
    step('close', (store) => store.close(queue, true)),
    step('remove', (store) => store.remove(queue, true)),
    step('put', (store) => put(store, other, 'x', 'y')),
    step('runDue', (store) => store.runDue()),
  ]);
}

/** Of steps that are asked for at once: what they answered, or the code of their error. */
function outcomesOf(store: Store, steps: Step[]): Promise<unknown[]> {
  return Promise.all(
    steps.map(({ run }) =>
      run(store).catch((error) => {
        if (error instanceof MqError) return error.code;
        throw error;
      }),
    ),
  );
}
