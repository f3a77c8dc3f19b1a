import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { kills } from '../kills.ts';
import { type Mq, seq, test, until } from './mq.ts';

const leaseOf = (out: string) => out.split('\t')[0] as string;

/** A script that notes when it begins and ends, in one file. */
const noted = (mq: Mq) => `echo + >> ${mq.home}/notes; sleep 0.02; echo - >> ${mq.home}/notes`;

/** The most of these scripts that ran at a time. */
function mostAtOnce(mq: Mq): number {
  let [now, most] = [0, 0];
  for (const note of readFileSync(join(mq.home, 'notes'), 'utf8').trim().split('\n')) {
    now += note === '+' ? 1 : -1;
    most = Math.max(most, now);
  }
  return most;
}

describe('--max-leased', () => {
  test('by hand: who finds it reached waits; get without a lease does not', async ({ mq }) => {
    expect((await mq.run(['create', 'q', '--max-leased', '1'])).status).toBe(0);
    await mq.run(['put', 'q', 'a', 'b', 'c']);
    const first = leaseOf((await mq.run(['get', '--lease', '1h', 'q'])).out);
    expect((await mq.run(['get', '-n', '--lease', '1h', 'q'])).status).toBe(3);
    const waits = mq.start(['get', '--lease', '1h', 'q']);
    await mq.untilConsumers('q', 1);
    expect(await mq.run(['get', '-n', 'q'])).toMatchObject({ status: 0, out: 'b\n' });
    expect(waits.child.exitCode).toBe(null);
    await mq.run(['done', 'q', first]);
    expect((await waits.done).out).toMatch(/^\S+\tc\n$/);
    expect(await mq.stat('q')).toMatchObject({ max_leased: 1, leased: 1 });
  });

  test('set: down interrupts nothing, up lets those go on who wait', async ({ mq }) => {
    await mq.run(['put', 'q', 'a', 'b', 'c']);
    const [a, b] = (await mq.run(['get', '--lease', '1h', '-c', '2', 'q'])).out.split('\n').map(leaseOf);
    expect((await mq.run(['set', 'q', '--max-leased', '1'])).status).toBe(0);
    expect((await mq.run(['extend', 'q', a as string, '1h'])).status).toBe(0);
    expect((await mq.run(['done', 'q', b as string])).status).toBe(0);
    const waits = mq.start(['get', '--lease', '1h', 'q']);
    await mq.untilConsumers('q', 1);
    await mq.run(['set', 'q', '--max-leased', '2']);
    expect((await waits.done).out).toMatch(/\tc\n$/);
  });

  test('over all workers, however short the commands: no more run, and all are done', async ({ mq }) => {
    await mq.run(['create', 'q', '--max-leased', '3']);
    await mq.run(['put', 'q'], seq(150));
    const works = [4, 1, 8].map((jobs) =>
      mq.start(['work', 'q', '-j', String(jobs), '--drain', '--', 'sh', '-c', noted(mq)]),
    );
    const leased: number[] = [];
    while (Number((await mq.stat('q'))['done']) < 150) leased.push(Number((await mq.stat('q'))['leased']));
    expect(Math.max(...leased)).toBeLessThanOrEqual(3);
    for (const work of works) expect(await work.done).toMatchObject({ status: 0, err: '' });
    expect(mostAtOnce(mq)).toBe(3);
    expect(await mq.stat('q')).toMatchObject({ failed: 0, got: 150 });
  });

  test('work takes nothing ahead there: each message on lease is worked on', async ({ mq }) => {
    await mq.run(['create', 'q', '--max-leased', '9']);
    await mq.run(['put', 'q'], seq(400));
    const work = mq.start(['work', 'q', '--drain', '--', 'true']);
    let most = 0;
    for (let state = await mq.stat('q'); Number(state['done']) < 400; state = await mq.stat('q'))
      most = Math.max(most, Number(state['leased']));
    expect((await work.done).status).toBe(0);
    // One runs, and one that has ended may still have to be settled.
    expect(most).toBeLessThanOrEqual(2);
    // None went back because it was taken ahead.
    expect(await mq.stat('q')).toMatchObject({ got: 400 });
  });

  test('work goes on with its other queues, and comes back', async ({ mq }) => {
    await mq.run(['create', 'q', '--max-leased', '1']);
    await mq.run(['put', 'q', 'a', 'b']);
    const lease = leaseOf((await mq.run(['get', '--lease', '1h', 'q'])).out);
    await mq.run(['put', 'other'], seq(50));
    const work = mq.start(['work', 'q', 'other', '-j', '2', '--drain', '--', 'cat']);
    expect((await mq.run(['join', 'other'])).status).toBe(0);
    expect(await mq.stat('q')).toMatchObject({ waiting: 1 });
    await mq.run(['done', 'q', lease]);
    expect(await work.done).toMatchObject({ status: 0, out: expect.stringContaining('b\n') });
  });

  test('bad input', async ({ mq }) => {
    for (const value of ['-1', 'x', '1.5', ''])
      expect(await mq.run(['create', 'q', '--max-leased', value])).toMatchObject({ status: 2, out: '' });
    await mq.run(['create', 'q', '--max-leased', '2']);
    expect((await mq.run(['create', 'q', '--max-leased', '2'])).status).toBe(0);
    expect(await mq.run(['create', 'q', '--max-leased', '3'])).toMatchObject({
      status: 2,
      err: expect.stringContaining('queue q has --max-leased 2, not 3'),
    });
    expect((await mq.run(['set', 'none', '--max-leased', '3'])).status).toBe(5);
  });

  test('crashes of the daemon and of workers at any moment forget no lease', async ({ mq }) => {
    await mq.run(['create', 'q', '--max-leased', '2']);
    await mq.run(['put', 'q', 'x']);
    const lease = leaseOf((await mq.run(['get', '--lease', '1h', 'q'])).out);
    await mq.run(['put', 'q'], seq(300));
    const args = ['work', 'q', '-j', '4', '--', 'sh', '-c', noted(mq)];
    let works = [mq.start(args), mq.start(args)];
    await until(() => existsSync(join(mq.home, 'notes')));
    for (let i = 0; i < kills(6); i++) {
      await delay(Math.random() * 150);
      if (i % 3 === 2) {
        works[0]?.child.kill('SIGKILL');
        await works[0]?.done;
        works = [works[1] as (typeof works)[0], mq.start(args)];
      } else await mq.killDaemon();
      expect(Number((await mq.stat('q'))['leased'])).toBeLessThanOrEqual(2);
    }
    expect((await mq.run(['done', 'q', lease])).status).toBe(0);
    await mq.run(['close', 'q']);
    for (const work of works) expect(await work.done).toMatchObject({ status: 0, err: '' });
    expect(await mq.stat('q')).toMatchObject({ waiting: 0, leased: 0, failed: 0, done: 301 });
  });
});
