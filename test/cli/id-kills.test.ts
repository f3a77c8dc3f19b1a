import { describe, expect } from 'vitest';
import { kills } from '../kills.ts';
import { type Mq, test, until } from './mq.ts';

/** How many SIGKILLs of each kind. */
const KILLS = kills(15);

/** Milliseconds that a command takes, about, when nothing is in its way. */
const CALL = 150;

const limit = 120_000 + KILLS * 3000;

describe('SIGKILL of the daemon at random moments', () => {
  test('put --print-id: each message is stored once, and its id printed', { timeout: limit }, async ({
    mq,
  }) => {
    const printed: number[] = [];
    for (let i = 0; i < KILLS; i++) {
      const put = mq.start(['put', '--print-id', 'q'], { input: `a${i}\nb${i}\n` });
      await killAtRandom(mq);
      const { status, out, err } = await put.done;
      expect({ status, err }).toEqual({ status: 0, err: '' });
      printed.push(...out.trim().split('\n').map(Number));
    }
    const stored = (await mq.run(['get', '-a', '-q', 'q'])).out.trim().split('\n');
    expect(stored).toEqual(Array.from({ length: KILLS }, (_, i) => [`a${i}`, `b${i}`]).flat());
    expect(printed.length).toBe(stored.length);
    expect(new Set(printed).size).toBe(stored.length);
    expect(printed).toEqual(printed.toSorted((a, b) => a - b));
  });

  test('get --id: each message is printed once', { timeout: limit }, async ({ mq }) => {
    await mq.run(['put', 'q'], Array.from({ length: KILLS }, (_, i) => `m${i + 1}\n`).join(''));
    for (let id = KILLS; id > 0; id--) {
      const get = mq.start(['get', '--id', String(id), 'q']);
      await killAtRandom(mq);
      expect(await get.done).toMatchObject({ status: 0, out: `m${id}\n`, err: '' });
    }
    await mq.run(['start']);
    expect(await mq.stat('q')).toMatchObject({ waiting: 0, leased: 0, got: KILLS });
  });
});

async function killAtRandom(mq: Mq): Promise<void> {
  const end = performance.now() + Math.random() * CALL;
  await until(() => performance.now() >= end);
  if (mq.daemonPid() !== undefined) await mq.killDaemon();
}
