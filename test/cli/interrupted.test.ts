import { describe, expect } from 'vitest';
import { type Mq, type Running, seq, test, until } from './mq.ts';

/** How many messages it says that it has stored. */
function numberIn(err: string): number {
  const [, count] = /interrupted; (nothing|\d+)/.exec(err) ?? [];
  return count === 'nothing' ? 0 : Number(count);
}

async function untilStored(mq: Mq, count: number): Promise<void> {
  await until(async () => (await mq.size('q')) === count);
}

/** Both at once, as when a machine is shut down. */
async function endBoth(mq: Mq, put: Running): Promise<void> {
  process.kill(mq.daemonPid() as number, 'SIGKILL');
  put.child.kill('SIGTERM');
}

describe('a put that is interrupted', () => {
  test.for([1, 2, 3, 4, 5])(
    '%i: stores no beginning of a message, and says how many it stored',
    async (_, { mq }) => {
      const put = mq.start(['put', 'q'], { open: true });
      put.child.stdin?.write('first\n');
      await untilStored(mq, 1);
      process.kill(mq.daemonPid() as number, 'SIGSTOP');
      put.child.stdin?.write('second\nTHIRD-IS-CUT');
      // It has read that, or not: whatever it says must hold.
      await new Promise((resolve) => setImmediate(resolve));
      await endBoth(mq, put);
      const { signal, err } = await put.done;
      expect(signal).toBe('SIGTERM');
      const { out } = await mq.run(['get', '-a', 'q']);
      expect(out).toBe(['first\n', 'second\n'].slice(0, numberIn(err)).join(''));
    },
  );

  test('stores nothing with --whole', async ({ mq }) => {
    await mq.run(['create', 'q']);
    const put = mq.start(['put', '-w', 'q'], { open: true });
    put.child.stdin?.write('a');
    const connections = async () =>
      (JSON.parse((await mq.run(['status', '--json'])).out) as { connections: number }).connections;
    await until(async () => (await connections()) === 2);
    put.child.kill('SIGTERM');
    const { signal, err } = await put.done;
    expect(signal).toBe('SIGTERM');
    // Nothing is said by one that has just begun.
    expect(['mq: put q: interrupted; nothing was stored\n', '']).toContain(err);
    expect(await mq.size('q')).toBe(0);
  });

  test('asks the next daemon how many it stored when one dies with it', async ({ mq }) => {
    await mq.run(['create', 'q', '--maxsize', '2']);
    const put = mq.start(['put', 'q', '1', '2', '3', '4', '5']);
    await untilStored(mq, 2);
    await endBoth(mq, put);
    expect(await put.done).toMatchObject({
      signal: 'SIGTERM',
      err: 'mq: put q: interrupted; 2 messages were stored\n',
    });
    expect(await mq.size('q')).toBe(2);
  });

  test('says how many it stored at the second signal too, and that it does not know of the rest', async ({
    mq,
  }) => {
    await mq.run(['create', 'q']);
    const put = mq.start(['put', 'q'], { open: true });
    put.child.stdin?.write(seq(3));
    await untilStored(mq, 3);
    const daemon = mq.daemonPid() as number;
    process.kill(daemon, 'SIGSTOP');
    try {
      put.child.stdin?.write('4\n');
      await until(() => put.child.stdin?.writableLength === 0);
      put.child.kill('SIGTERM');
      const again = setInterval(() => put.child.kill('SIGTERM'), 50);
      const { signal, err } = await put.done;
      clearInterval(again);
      expect(signal).toBe('SIGTERM');
      expect(err).toMatch(/^mq: put q: interrupted; 3 messages were stored/);
    } finally {
      process.kill(daemon, 'SIGCONT');
    }
  });
});
