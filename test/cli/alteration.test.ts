import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { Random, seeds } from '../random.ts';
import { type Mq, test } from './mq.ts';

/** Alters one byte of this text, where a file has it; the daemon may have the file open. */
function alter(path: string, text: string): void {
  const bytes = readFileSync(path);
  const at = bytes.indexOf(text);
  expect(at).toBeGreaterThan(0);
  bytes[at] = (bytes[at] as number) ^ 1;
  writeFileSync(path, bytes, { flag: 'r+' });
}

const leaseOf = async (mq: Mq, queue: string) =>
  (await mq.run(['get', '--lease', '1m', queue])).out.split('\t')[0] as string;

describe('messages that were altered on disk', () => {
  test('are handed out by no verb (75, with the path of the file); all else goes on', async ({ mq }) => {
    await mq.run(['create', 'q', '--max-attempts', '1']);
    await mq.run(['put', 'q', 'first', 'second']);
    await mq.run(['put', 'q', 'ALTERED', 'third']);
    await mq.run(['put', 'other', 'a', 'b', 'c']);
    const lease = await leaseOf(mq, 'q');
    await mq.run(['stop']);
    alter(mq.store, 'ALTERED');
    const before = readFileSync(mq.store);
    expect((await mq.run(['get', 'q'])).out).toBe('second\n');
    const damaged = {
      status: 75,
      out: '',
      err: expect.stringMatching(
        new RegExp(`^mq: .*: messages of queue q were altered in ${mq.store}: other queues go on\n`),
      ),
    };
    const taking = [
      ['get', 'q'],
      ['get', '-n', '-c', '5', 'q'],
      ['get', '-a', 'q'],
      ['get', '--lease', '1m', 'q'],
      ['peek', 'q'],
      ['work', 'q', '--drain', '--', 'cat'],
    ];
    for (const args of taking) expect(await mq.run(args), args.join(' ')).toMatchObject(damaged);
    expect((await mq.run(['get', '-n', 'other', 'q'])).out).toBe('a\n');
    expect((await mq.run(['size', 'q'])).out).toBe('2\n');
    expect(await mq.stat('q')).toMatchObject({ waiting: 2, leased: 1, got: 2 });
    expect((await mq.run(['ls'])).status).toBe(0);
    expect((await mq.run(['put', 'q', 'fourth'])).status).toBe(0);
    expect((await mq.run(['done', 'q', lease])).status).toBe(0);
    expect((await mq.run(['get', 'other'])).out).toBe('b\n');
    await mq.run(['stop']);
    const after = readFileSync(mq.store);
    const at = before.indexOf('@LTERED');
    expect(after.subarray(at - 10, at + 20).equals(before.subarray(at - 10, at + 20))).toBe(true);
    // A move does not read them: they are as altered where they are then.
    expect((await mq.run(['move', 'q', 'elsewhere'])).status).toBe(0);
    expect(await mq.run(['get', 'elsewhere'])).toMatchObject({ status: 75, out: '' });
    expect((await mq.run(['purge', 'elsewhere'])).status).toBe(0);
    expect((await mq.sh('mq put q e && mq get q && mq rm q')).out).toBe('e\n');
  });

  test('while they were on lease: they are not given up on, and are in nobody else’s way', async ({ mq }) => {
    await mq.sh(
      'mq create q --max-attempts 1; mq create other --retry-delay 0; mq put q ALTERED; mq put other a',
    );
    const lease = await leaseOf(mq, 'q');
    await mq.run(['stop']);
    alter(mq.store, 'ALTERED');
    expect((await mq.run(['fail', 'q', lease])).status).toBe(75);
    const other = await leaseOf(mq, 'other');
    await mq.run(['extend', 'other', other, '100ms']);
    expect((await mq.run(['extend', 'q', lease, '100ms'])).status).toBe(0);
    expect((await mq.run(['get', 'other'])).out).toBe('a\n');
    expect((await mq.run(['get', 'q'])).status).toBe(75);
    expect(await mq.stat('q')).toMatchObject({ waiting: 1, leased: 0, dead: 0 });
    expect((await mq.run(['rm', '--force', 'q'])).status).toBe(0);
  });

  // More than the daemon and SQLite have in memory.
  const COUNT = 25_000;
  const line = (i: number) => `${i}`.padStart(1000, '.');

  test.for(seeds(2, 1))(
    'under the daemon, in the file or its log: no altered one is printed (seed %i)',
    async (seed, { mq }) => {
      const random = new Random(seed);
      await mq.run(['put', 'q'], Array.from({ length: COUNT }, (_, i) => `${line(i)}\n`).join(''));
      await mq.run(['put', 'other', 'a']);
      const files = [mq.store, `${mq.store}-wal`].filter((path) =>
        readFileSync(path).includes('.'.repeat(500)),
      );
      const path = random.of(files);
      const bytes = readFileSync(path);
      const starts: number[] = [];
      for (let at = bytes.indexOf('.'.repeat(500)); at >= 0; at = bytes.indexOf('.'.repeat(500), at + 500))
        starts.push(at);
      for (let i = 0; i < 20; i++) bytes[random.of(starts) + random.below(500)] = 0x2a;
      writeFileSync(path, bytes, { flag: 'r+' });
      const { status, stdout } = await mq.run(['get', '-a', 'q']);
      const lines = stdout.toString('latin1').split('\n').slice(0, -1);
      for (const [i, printed] of lines.entries()) expect(printed).toBe(line(i));
      if (lines.length < COUNT || path === mq.store) expect(status).toBe(75);
      expect((await mq.run(['get', 'other'])).out).toBe('a\n');
    },
  );
});
