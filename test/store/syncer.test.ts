import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Syncer } from '../../src/store/sqlite/syncer.ts';
import { until } from '../until.ts';

let folder: string;
let syncer: Syncer;
/** Ends each sync that was begun. */
let begun: ((error?: Error) => void)[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mq-syncer-'));
  writeFileSync(join(folder, 'log'), '');
  begun = [];
  const sync = () =>
    new Promise<void>((resolve, reject) => begun.push((error) => (error ? reject(error) : resolve())));
  syncer = new Syncer(join(folder, 'log'), sync);
});
afterEach(() => {
  syncer.close();
  rmSync(folder, { recursive: true });
});

const isBegun = (count: number) => until(() => begun.length === count);
const end = (index: number, error?: Error) => begun[index]?.(error);
/** Whether it is safe by now. */
async function isSafe(promise: Promise<void>): Promise<boolean> {
  let safe = false;
  void promise.then(() => {
    safe = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  return safe;
}

test('nothing was committed: it is safe', async () => {
  await syncer.synced();
  expect(begun.length).toBe(0);
});

test('a sync is made when somebody asks, and soon where nobody does', async () => {
  syncer.committed();
  await new Promise((resolve) => setImmediate(resolve));
  expect(begun.length).toBe(0);
  const asked = syncer.synced();
  await isBegun(1);
  end(0);
  await asked;
  syncer.committed();
  await isBegun(2);
  end(1);
  await syncer.synced();
  expect(begun.length).toBe(2);
});

test('who asks waits for a sync that began after the last commit', async () => {
  syncer.committed();
  const first = syncer.synced();
  await isBegun(1);
  syncer.committed();
  const second = syncer.synced();
  syncer.committed();
  const third = syncer.synced();
  end(0);
  await first;
  await isBegun(2);
  expect(await isSafe(second)).toBe(false);
  end(1);
  await Promise.all([second, third, syncer.synced()]);
  expect(begun.length).toBe(2);
});

test('after a sync that failed nothing is safe any more', async () => {
  syncer.committed();
  const first = syncer.synced();
  await isBegun(1);
  syncer.committed();
  const second = syncer.synced();
  end(0, new Error('EIO'));
  await expect(first).rejects.toThrow('EIO');
  await expect(second).rejects.toThrow('EIO');
  await expect(syncer.synced()).rejects.toThrow('EIO');
  syncer.committed();
  await expect(syncer.synced()).rejects.toThrow('EIO');
  expect(begun.length).toBe(1);
});
