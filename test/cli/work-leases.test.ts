import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { type Mq, seq, test, until } from './mq.ts';

const leased = async (mq: Mq, queue = 'q') => (await mq.stat(queue))['leased'];

describe('leases of mq work', () => {
  test('messages are taken ahead of short commands, and go back behind a long one', async ({ mq }) => {
    await mq.sh(`yes short | head -n 400 | mq put q; mq put q long; seq 50 | mq put q; mkfifo go`);
    const script = 'read x; case $x in long) cat go; esac';
    const working = mq.run(['work', 'q', '--drain', '--', 'sh', '-c', script]);
    await until(async () => ((await leased(mq)) as number) > 1);
    await until(async () => (await mq.stat('q'))['waiting'] === 50 && (await leased(mq)) === 1);
    expect((await mq.run(['get', '-c', '50', 'q'])).out).toBe(seq(50));
    await mq.sh('echo went > go');
    expect(await working).toMatchObject({ status: 0, out: 'went\n', err: '' });
    expect(await mq.stat('q')).toMatchObject({ done: 451, failed: 0, put: 451 });
  });

  test('a lease is extended for as long as the command runs', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    const work = mq.start([
      'work',
      'q',
      '--drain',
      '--lease',
      '1s',
      '--',
      'sh',
      '-c',
      'sleep 3; echo $MQ_ATTEMPT',
    ]);
    expect(await work.done).toMatchObject({ status: 0, out: '1\n', err: '' });
    expect(await mq.stat('q')).toMatchObject({ done: 1, failed: 0 });
  });

  test('of several that end at once, one whose lease is gone keeps no other from being done', async ({
    mq,
  }) => {
    await mq.run(['put', 'q', 'a', 'b', 'c']);
    const go = join(mq.home, 'go');
    const script = `read x; echo $MQ_LEASE > ${mq.home}/lease.$x; echo $$; until [ -e ${go} ]; do sleep 0.01; done`;
    const work = mq.start(['work', 'q', '-j', '3', '--drain', '--', 'sh', '-c', script]);
    await until(() => work.out().split('\n').length === 4);
    const token = readFileSync(join(mq.home, 'lease.b'), 'utf8').trim();
    expect((await mq.run(['done', 'q', token])).status).toBe(0);
    work.child.kill('SIGSTOP');
    writeFileSync(go, '');
    const isZombie = (pid: string) => readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
    await until(() => work.out().trim().split('\n').every(isZombie));
    work.child.kill('SIGCONT');
    const result = await work.done;
    expect(result.status).toBe(0);
    expect(result.err).toMatch(/^mq: work q: "b": its lease is gone[^\n]*\n$/);
    expect(await mq.stat('q')).toMatchObject({ done: 3, failed: 0, waiting: 0, leased: 0 });
  });

  test('--drain waits for what others have and for what is delayed; without it, work ends when the queue is closed', async ({
    mq,
  }) => {
    expect((await mq.run(['work', 'none', '--drain', '--', 'true'])).status).toBe(0);
    await mq.run(['put', 'q', 'a']);
    await mq.run(['put', '--delay', '200ms', 'q', 'b']);
    const token = (await mq.run(['get', '--lease', '1h', 'q'])).out.split('\t')[0] as string;
    const draining = mq.start(['work', 'q', '--drain', '--', 'cat']);
    const working = mq.start(['work', 'q', '--', 'true']);
    await until(async () => (await mq.stat('q'))['done'] === 1);
    expect(draining.child.exitCode).toBe(null);
    await mq.run(['fail', 'q', token, '--delay', '0']);
    expect((await draining.done).status).toBe(0);
    expect(working.child.exitCode).toBe(null);
    await mq.run(['close', 'q']);
    expect((await working.done).status).toBe(0);
  });
});
