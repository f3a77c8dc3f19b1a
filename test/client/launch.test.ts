import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test as base, describe, expect } from 'vitest';
import { launch } from '../../src/client/launch.ts';
import { LaunchLock } from '../../src/client/launch-lock.ts';
import { now } from '../../src/clock.ts';
import { ownHolder } from '../../src/holder.ts';
import { places } from '../../src/paths.ts';
import { until } from '../until.ts';

/** Neither living nor ever to be. */
const GONE = ownHolder().replace(/,[^,]*,[^,]*$/, ',999999999,1');
const ELSEWHERE = ownHolder().replace(/^([^,]*,[^,]*),[^,]*/, '$1,1');

const test = base.extend<{ folder: string }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the names of the fixtures from here
  folder: async ({}, use) => {
    const folder = mkdtempSync(join(tmpdir(), 'mq-launch-'));
    await use(folder);
    rmSync(folder, { recursive: true });
  },
});

/** A lock as another process would have left it, made so many ms ago. */
function makeLock(folder: string, text: string, age: number): string {
  const path = join(folder, 'launch.lock');
  writeFileSync(path, text);
  const time = (Date.now() - age) / 1000;
  utimesSync(path, time, time);
  return path;
}

describe('the lock of who starts a daemon', () => {
  test('keeps others away until it is released', ({ folder }) => {
    const path = join(folder, 'launch.lock');
    const [first, second] = [new LaunchLock(path), new LaunchLock(path)];
    expect([first.take(), second.take(), second.isHeld]).toEqual([true, false, true]);
    second.release();
    expect(second.isHeld).toBe(true);
    first.release();
    expect([second.isHeld, second.take()]).toEqual([false, true]);
  });

  test.for([
    ['of a process that lives', ownHolder(), 1000, true],
    ['of one in another pid namespace', ELSEWHERE, 1000, true],
    ['that is being written', '', 1000, true],
    ['of mq 0.5', String(process.pid), 1000, true],
    ['of mq 0.5 that has gone', '999999999', 1000, false],
    ['of a process that has gone', GONE, 1000, false],
    ['that is old', ownHolder(), 6000, false],
    ['from the future', ownHolder(), -3600_000, false],
    ['of another pid namespace that is old', ELSEWHERE, 6000, false],
  ] as const)('%s', ([, text, age, isHeld], { folder }) => {
    const path = makeLock(folder, text, age);
    const lock = new LaunchLock(path);
    expect([lock.isHeld, lock.take()]).toEqual([isHeld, !isHeld]);
    // One that is stale is taken: it is ours now.
    if (!isHeld) expect(readFileSync(path, 'utf8')).toBe(ownHolder());
  });

  test('is taken once, by whomever it is found stale', ({ folder }) => {
    const path = makeLock(folder, GONE, 1000);
    const locks = [1, 2, 3].map(() => new LaunchLock(path));
    expect(locks.map((lock) => lock.take())).toEqual([true, false, false]);
  });
});

describe('a daemon that does not come up', () => {
  test('is killed by the deadline, 69', async ({ folder }) => {
    const script = join(folder, 'hang.cjs');
    writeFileSync(
      script,
      "require('fs').writeFileSync(process.env.MQ_HOME + '/pid', String(process.pid)); setInterval(() => {}, 1e6)",
    );
    const argv = process.argv[1] as string;
    process.argv[1] = script;
    try {
      // It would run for ever.
      await expect(launch(places({ MQ_HOME: folder }), now() + 1500)).rejects.toMatchObject({
        code: 'UNREACHABLE',
      });
    } finally {
      process.argv[1] = argv;
    }
    const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
    await until(() => !existsSync(`/proc/${pid}/exe`));
    expect(existsSync(join(folder, 'launch.lock'))).toBe(false);
  });
});
