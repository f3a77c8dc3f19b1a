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

  test('retry, drop and move: each message is in one place, and what they say is right', {
    timeout: 3 * limit,
  }, async ({ mq }) => {
    const count = 300;
    const idsIn = async (queue: string) =>
      (await mq.run(['ls', '--json', queue])).out
        .trimEnd()
        .split('\n')
        .map((line) => String((JSON.parse(line) as { id: number }).id));
    await mq.run(['create', 'q', '--max-attempts', '1']);
    for (let i = 0; i < KILLS; i += 3) {
      await mq.run(['put', 'q'], 'dead\n'.repeat(count));
      const leases = (await mq.run(['get', '-c', `${count}`, '--lease', '1h', 'q'])).out
        .split('\n')
        .slice(0, -1);
      await mq.run(['fail', 'q', ...leases.map((line) => line.split('\t')[0] as string)]);
      const during = async (...args: string[]) => {
        const command = mq.start(args);
        await killAtRandom(mq);
        return command.done;
      };
      const err = (text: string) => ({ status: 0, err: expect.stringContaining(text) });
      expect(await during('retry', 'q.dead')).toMatchObject(err(`${count} retried`));
      expect(await mq.stat('q.dead')).toMatchObject({ waiting: 0 });
      expect(await mq.stat('q')).toMatchObject({ waiting: count });
      expect(await during('move', 'q', 'to', ...(await idsIn('q')))).toMatchObject(err(`${count} moved`));
      expect(await mq.stat('q')).toMatchObject({ waiting: 0 });
      expect(await mq.stat('to')).toMatchObject({ waiting: count });
      expect(await during('drop', 'to', ...(await idsIn('to')))).toMatchObject(err(`${count} dropped`));
      expect(await mq.stat('to')).toMatchObject({ waiting: 0 });
    }
  });
});

async function killAtRandom(mq: Mq): Promise<void> {
  const end = performance.now() + Math.random() * CALL;
  await until(() => performance.now() >= end);
  if (mq.daemonPid() !== undefined) await mq.killDaemon();
}
