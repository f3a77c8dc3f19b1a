import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { MqError } from '../../src/errors.ts';
import { SqliteStore } from '../../src/store/sqlite/sqlite.ts';
import type { Store } from '../../src/store/store.ts';
import { newRamFolder } from '../ram.ts';
import { Random, seeds } from '../random.ts';
import { bodiesOf, idsOf, messagesOf, packed, SILENT } from './messages.ts';

const folder = newRamFolder('mq-alteration-');
afterAll(() => rmSync(folder, { recursive: true }));

const open = (path: string) => new SqliteStore(path, SILENT, Date.now);
const QUEUES = ['a', 'b', 'c', 'd'];

/** Bytes of a file are altered, as a disk may do it, or whoever writes to the wrong place. */
describe('no altered message comes out', () => {
  let damaged = 0;

  describe('messages are altered in the file: their queues are DAMAGED, the others go on', () => {
    test.each(seeds(30, 6))('seed %d', async (seed) => {
      const random = new Random(seed);
      const { path, bodies } = await fill(random, 'file');
      const alterations = alter(path, random, isOfMessages);
      const before = readFileSync(path);
      const store = open(path);
      const altered: string[] = [];
      for (const queue of QUEUES) {
        const { out, code } = await drain(store, queue);
        const expected = bodies.get(queue) ?? [];
        expect(out).toEqual(expected.slice(0, out.length));
        if (code === undefined) expect(out.length).toBe(expected.length);
        else altered.push(queue);
      }
      expect(altered.length).toBeLessThanOrEqual(alterations);
      damaged += altered.length;
      // Nothing was settled.
      expect(readFileSync(path).equals(before)).toBe(true);
      for (const queue of altered) {
        await expect(store.peek(queue, ONE)).rejects.toMatchObject({ code: 'DAMAGED' });
        expect((await store.list()).map(({ name }) => name)).toContain(queue);
        await store.purge(queue);
        await store.put(queue, packed('again'), { priority: 0 });
        expect((await drain(store, queue)).out).toEqual(['again']);
      }
      await store.end();
    });

    test('that was so in some of them', () => {
      if (!process.env['MQ_TEST_SEED']) expect(damaged).toBeGreaterThan(15);
    });
  });

  describe('anything is altered in the log: what comes out was put', () => {
    test.each(seeds(10, 2))('seed %d', async (seed) => {
      const random = new Random(seed);
      const { path, put } = await fill(random, 'log');
      alter(`${path}-wal`, random, () => true);
      await expectSomeOf(path, put);
    });
  });

  describe('anything is altered in the file: what comes out was put', () => {
    test.each(seeds(10, 2))('seed %d', async (seed) => {
      const random = new Random(seed);
      const { path, put } = await fill(random, 'file');
      alter(path, random, () => true);
      await expectSomeOf(path, put);
    });
  });
});

const ONE = { count: 1, bytes: 1 };

/**
 * @param where in which of the files all of it is
 * @returns what is to come out of each queue, and what was put into any
 */
async function fill(random: Random, where: 'file' | 'log') {
  const path = join(mkdtempSync(join(folder, 's-')), 'store');
  const store = open(path);
  const put = new Set<string>();
  const bodies = new Map<string, string[]>();
  for (let i = 0; i < 24; i++) {
    const queue = random.of(QUEUES);
    const length = random.of([20, 300, 6000]);
    const some = Array.from({ length: 1 + random.below(8) }, () => hex(random, 20 + random.below(length)));
    for (const body of some) put.add(body);
    await store.put(queue, packed(...some), { priority: 0 });
    bodies.set(queue, [...(bodies.get(queue) ?? []), ...some]);
    if (random.below(4) > 0) continue;
    const got = messagesOf((await store.take(queue, { count: 1 + random.below(3), bytes: Infinity })).runs);
    await store.settle(queue, idsOf(got), 'done');
    bodies.get(queue)?.splice(0, got.length);
  }
  if (where === 'file') {
    await store.end();
    return { path, put, bodies };
  }
  const copy = `${path}-copy`;
  for (const suffix of ['', '-wal']) copyFileSync(path + suffix, copy + suffix);
  await store.end();
  return { path: copy, put, bodies };
}

function hex(random: Random, length: number): string {
  const digits = () =>
    random
      .below(2 ** 32)
      .toString(16)
      .padStart(8, '0');
  return Array.from({ length: Math.ceil(length / 8) }, digits)
    .join('')
    .slice(0, length);
}

/** Alters bytes. @returns how many */
function alter(path: string, random: Random, isFit: (bytes: Buffer, at: number) => boolean): number {
  const bytes = readFileSync(path);
  const count = 1 + random.below(3);
  for (let i = 0; i < count; i++) {
    let at = random.below(bytes.length);
    while (!isFit(bytes, at)) at = random.below(bytes.length);
    bytes[at] = (bytes[at] as number) ^ (1 + random.below(255));
  }
  writeFileSync(path, bytes);
  return count;
}

/** Nothing else in the file has so many such digits in a row. */
function isOfMessages(bytes: Buffer, at: number): boolean {
  return /^[0-9a-f]{16}$/.test(bytes.toString('latin1', at, at + 16));
}

async function expectSomeOf(path: string, put: ReadonlySet<string>): Promise<void> {
  let store: Store;
  try {
    store = open(path);
  } catch (error) {
    expect((error as MqError).code).toBe('DAMAGED');
    return;
  }
  for (const queue of QUEUES) {
    const { out, code } = await drain(store, queue);
    for (const body of out) expect(put.has(body), body.slice(0, 50)).toBe(true);
    if (code !== undefined) expect(code).toBe('DAMAGED');
  }
  await store.end().catch(() => {});
}

/** The messages that are handed out until nothing waits, or there is an error. */
async function drain(store: Store, queue: string): Promise<{ out: string[]; code?: string }> {
  const out: string[] = [];
  try {
    for (;;) {
      const { runs } = await store.take(queue, { count: 3, bytes: Infinity });
      if (runs.length === 0) return { out };
      out.push(...bodiesOf(messagesOf(runs)));
    }
  } catch (error) {
    if (!(error instanceof MqError)) throw error;
    return { out, code: error.code };
  }
}
