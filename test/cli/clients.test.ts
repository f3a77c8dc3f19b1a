import { execFileSync } from 'node:child_process';
import Redis from 'ioredis';
import { createClient } from 'redis';
import { describe, expect } from 'vitest';
import { type Mq, test } from './mq.ts';

describe('clients of Redis can put, get, hold and be done', () => {
  test('redis-cli', async ({ mq, skip }) => {
    if (!isInstalled('redis-cli')) skip('redis-cli is not installed');
    await mq.run(['create', 'q']);
    const cli = (...args: string[]) => mq.sh(`redis-cli -s ${mq.socket} ${args.join(' ')}`);
    expect((await cli('PUT', 'q', 'hello', "'two words'")).out).toBe('2\n');
    expect((await cli('GET', 'q')).out).toBe('hello\n');
    expect((await cli('GET', 'q', 'NOWAIT', 'HOLD')).out).toMatch(/^\d+\ntwo words\n$/);
    // The connection ended: it is back.
    expect((await cli('SIZE', 'q')).out).toBe('1\n');
    expect((await cli('GET', 'none', 'NOWAIT')).out).toBe('\n');
    expect((await cli('GET', 'none', 'TIMEOUT', '50')).out).toBe('\n');
    expect((await cli('STAT', 'none')).out).toMatch(/^NOQUEUE /);
    expect((await cli('-3', 'STAT', 'q')).out).toContain('waiting');
    expect((await cli('PING')).out).toBe('PONG\n');
  });

  test('redis-cli --pipe', async ({ mq, skip }) => {
    if (!isInstalled('redis-cli')) skip('redis-cli is not installed');
    await mq.run(['create', 'q']);
    const put = String.raw`for i in $(seq 1000); do printf '*3\r\n$3\r\nPUT\r\n$1\r\nq\r\n$%d\r\n%s\r\n' ${'$'}{#i} $i; done`;
    const { out } = await mq.sh(`${put} | redis-cli -s ${mq.socket} --pipe`);
    expect(out).toContain('errors: 0, replies: 1000');
    expect((await mq.sh('mq get -a q | cmp - <(seq 1000)')).status).toBe(0);
  });

  test('ioredis', async ({ mq }) => {
    await mq.run(['create', 'q']);
    const redis = new Redis({ path: mq.socket });
    await exercise(mq, (...words) => redis.call(words[0] as string, words.slice(1)));
    redis.disconnect();
  });

  test('node-redis, RESP 2 and 3', async ({ mq }) => {
    await mq.run(['create', 'q']);
    for (const RESP of [2, 3] as const) {
      const redis = createClient({ socket: { path: mq.socket, tls: false }, RESP });
      await redis.connect();
      await exercise(mq, (...words) => redis.sendCommand(words));
      await redis.close();
    }
  });
});

/** Puts, gets, holds and is done with messages. */
async function exercise(mq: Mq, send: (...words: string[]) => Promise<unknown>): Promise<void> {
  expect(await send('PUT', 'q', 'a', 'b', 'c', 'NOWAIT')).toBe(4);
  expect(await send('GET', 'q')).toBe('a');
  const [id, body] = (await send('GET', 'q', 'HOLD')) as [number, string];
  expect(body).toBe('b');
  expect(await send('SIZE', 'q')).toBe(2);
  expect(await send('DONE', 'q', String(id))).toBe(1);
  expect(await send('DONE', 'q', String(id))).toBe(0);
  expect(await send('GET', 'q', 'COUNT', '10')).toEqual(['c', 'NOWAIT']);
  expect(await send('GET', 'q', 'NOWAIT')).toBe(null);
  expect(await send('GET', 'none', 'OR', 'q', 'TIMEOUT', '20')).toBe(null);
  await send('PUT', 'q', 'd');
  expect(await send('GET', 'none', 'OR', 'q')).toEqual(['q', 'd']);
  await send('PUT', 'q', 'd');
  expect(await send('GET', 'q', 'OR', 'q')).toEqual(['q', 'd']);
  await send('PUT', 'PRIORITY', '0', 'TIMEOUT', '50', 'QUEUE', 'NOWAIT', 'e', 'f');
  expect(await send('GET', 'NOWAIT', 'COUNT', '2')).toEqual(['e', 'f']);
  await send('PUT', 'q', 'g', 'h', '');
  const [run] = (await send('GET', 'q', 'COUNT', '2', 'HOLD')) as [unknown[]];
  expect([run.length, run.at(-1)]).toEqual([6, ['g', 'h']]);
  expect(await send('DONE', 'q', `${run[0]}-${Number(run[0]) + 1}`)).toBe(2);
  const [packed] = (await send('GET', 'q', 'COUNT', '2', 'LEASE', '60000', 'PACKED')) as [unknown[]];
  expect(packed.slice(5)).toEqual([1, '$0\r\n\r\n', expect.any(Number), [expect.any(String)]]);
  expect(await send('DONE', 'q', ...(packed.at(-1) as string[]))).toBe(1);
  await expect(send('PUT', 'PRIORITY', '1', 'q', 'x')).rejects.toThrow(/NOTPRIORITY/);
  await expect(send('NONSENSE')).rejects.toThrow(/USAGE/);
  expect(await mq.size('q')).toBe(0);
}

function isInstalled(command: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${command}`]);
    return true;
  } catch {
    return false;
  }
}
