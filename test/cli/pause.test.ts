import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { kills } from '../kills.ts';
import { type Mq, seq, test, until } from './mq.ts';

const statuses = async (mq: Mq, ...lines: string[]) => {
  const all: (number | undefined)[] = [];
  for (const line of lines) all.push((await mq.run(line.split(' '))).status);
  return all;
};

describe('mq pause and mq resume', () => {
  test('get finds nothing, or goes to the next queue; resume lets it go on', async ({ mq }) => {
    await mq.run(['put', 'q', 'a', 'b']);
    await mq.run(['put', 'other', 'c']);
    expect(await mq.run(['pause', 'q'])).toMatchObject({ status: 0, out: '', err: '' });
    expect(await statuses(mq, 'get -n q', 'get -t 0.1 q', 'get -a q', 'get -n --lease 1m q')).toEqual([
      3, 3, 3, 3,
    ]);
    expect(await mq.run(['get', '-n', 'q', 'other'])).toMatchObject({ status: 0, out: 'c\n' });
    const get = mq.start(['get', 'q']);
    await mq.untilConsumers('q', 1);
    expect(get.child.exitCode).toBe(null);
    expect(await mq.run(['resume', 'q'])).toMatchObject({ status: 0, out: '', err: '' });
    expect(await get.done).toMatchObject({ status: 0, out: 'a\n' });
    expect(await mq.run(['get', '-n', 'q'])).toMatchObject({ status: 0, out: 'b\n' });
  });

  test('all else goes on, and ls and stat show it', async ({ mq }) => {
    await mq.run(['put', 'q', 'a', 'b', 'c']);
    const [a, b] = (await mq.run(['get', '--lease', '1h', '-c', '2', 'q'])).out
      .split('\n')
      .map((line) => line.split('\t')[0] as string);
    await mq.run(['pause', 'q']);
    const lines = [
      `done q ${a}`,
      `fail q ${b} --delay 0`,
      'put q d',
      'peek q',
      'size q',
      'set q --maxsize 3',
    ];
    expect(await statuses(mq, ...lines, 'full q', 'move q other -c 1')).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    expect(await mq.run(['get', 'other'])).toMatchObject({ out: 'b\n' });
    expect(await mq.stat('q')).toMatchObject({ state: 'open', paused: true, waiting: 2, done: 1 });
    expect(await mq.stat('other')).toMatchObject({ paused: false });
    const stateOf = async () => [
      (await mq.run(['ls'])).out
        .split('\n')
        .find((line) => line.startsWith('q '))
        ?.split(/ +/)
        .at(-1),
      /^state +(.*)$/m.exec((await mq.run(['stat', 'q'])).out)?.[1],
    ];
    expect(await stateOf()).toEqual(['paused', 'paused']);
    await mq.run(['close', 'q']);
    expect(await stateOf()).toEqual(['closed,paused', 'closed,paused']);
    await mq.run(['resume', 'q']);
    expect(await stateOf()).toEqual(['closed', 'closed']);
  });

  test('a get that finds nothing says that it is paused, on a terminal', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    await mq.run(['pause', 'q']);
    for (const front of ['1', '0']) {
      const { out } = await mq.sh(`MQ_FRONT=${front} script -qec 'mq get -n q' /dev/null </dev/null`);
      expect(out).toContain('(1 waiting, paused)');
    }
  });

  test('closed and drained: get 4, work 0; not before that', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    await mq.run(['pause', 'q']);
    await mq.run(['close', 'q']);
    expect((await mq.run(['get', '-n', 'q'])).status).toBe(3);
    const get = mq.start(['get', 'q']);
    const works = [[], ['--drain']].map((options) => mq.start(['work', 'q', ...options, '--', 'cat']));
    await mq.untilConsumers('q', 3);
    await mq.run(['purge', 'q']);
    expect((await get.done).status).toBe(4);
    for (const work of works) expect(await work.done).toMatchObject({ status: 0, out: '', err: '' });
    expect((await mq.run(['get', '-n', 'q'])).status).toBe(4);
  });

  test('work runs to the end what it has begun, and gives back the rest, uncounted; --drain and join wait', async ({
    mq,
  }) => {
    await mq.run(['put', 'q'], seq(1000));
    const out = join(mq.home, 'out');
    const script = `echo "$MQ_ATTEMPT" >> ${out}`;
    const work = mq.start(['work', 'q', '-j', '3', '--drain', '--', 'sh', '-c', script]);
    const begun = () => (existsSync(out) ? readFileSync(out, 'utf8').split('\n').length - 1 : 0);
    for (const least of [100, 200, 300]) {
      await until(() => begun() >= least);
      await mq.run(['pause', 'q']);
      await until(async () => (await mq.stat('q'))['leased'] === 0);
      const count = begun();
      expect(await mq.stat('q')).toMatchObject({
        done: count,
        waiting: 1000 - count,
        failed: 0,
        got: expect.any(Number),
      });
      expect(await statuses(mq, 'join -t 0.2 q')).toEqual([3]);
      expect([begun(), work.child.exitCode]).toEqual([count, null]);
      await mq.run(['resume', 'q']);
    }
    expect(await work.done).toMatchObject({ status: 0, err: '' });
    expect(readFileSync(out, 'utf8')).toBe('1\n'.repeat(1000));
    expect((await mq.run(['join', 'q'])).status).toBe(0);
  });

  test('work goes on with its other queues', async ({ mq }) => {
    await mq.run(['put', 'q'], seq(100));
    await mq.run(['pause', 'q']);
    await mq.run(['put', 'other'], seq(100));
    const work = mq.start(['work', 'q', 'other', '-j', '2', '--', 'cat']);
    expect((await mq.run(['join', 'other'])).status).toBe(0);
    expect(await mq.stat('q')).toMatchObject({ waiting: 100, got: 0 });
    work.child.kill('SIGTERM');
    expect((await work.done).signal).toBe('SIGTERM');
  });

  test('leases run out, delays pass', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    await mq.run(['put', '--delay', '200ms', 'q', 'b']);
    await mq.run(['get', '--lease', '300ms', 'q']);
    await mq.run(['pause', 'q']);
    await until(async () => (await mq.size('q')) === 2);
    expect(await mq.stat('q')).toMatchObject({ leased: 0, delayed: 0, failed: 1 });
  });

  test('it survives a restart and a crash of the daemon, under a command that waits, too', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    await mq.run(['pause', 'q']);
    await mq.run(['stop']);
    expect((await mq.run(['get', '-n', 'q'])).status).toBe(3);
    const get = mq.start(['get', 'q']);
    await mq.untilConsumers('q', 1);
    await mq.killDaemon();
    await mq.untilConsumers('q', 1);
    expect(get.child.exitCode).toBe(null);
    await mq.run(['resume', 'q']);
    expect(await get.done).toMatchObject({ status: 0, out: 'a\n' });
  });

  test('resuming what is not paused is 0, and so is pausing twice; bad input', async ({ mq }) => {
    await mq.run(['create', 'q']);
    expect(await statuses(mq, 'resume q', 'pause q', 'pause q', 'resume q')).toEqual([0, 0, 0, 0]);
    for (const verb of ['pause', 'resume']) {
      expect(await mq.run([verb, 'none'])).toMatchObject({
        status: 5,
        err: expect.stringContaining('there is no queue none'),
      });
      expect(await statuses(mq, verb, `${verb} q r`, `${verb} .bad`, `${verb} --now q`)).toEqual([
        2, 2, 2, 2,
      ]);
    }
    expect((await mq.run(['stat', 'none'])).status).toBe(5);
  });
});

describe('a crash of the daemon', () => {
  test('at any moment leaves a queue paused or not, as the command that succeeds says', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    for (let i = 0; i < kills(10); i++) {
      const verb = i % 2 === 0 ? 'pause' : 'resume';
      const command = mq.start([verb, 'q']);
      await delay(Math.random() * 120);
      await mq.killDaemon();
      expect(await command.done, `kill ${i}`).toMatchObject({ status: 0, err: '' });
      expect(await mq.stat('q'), `kill ${i}`).toMatchObject({ paused: verb === 'pause', waiting: 1 });
    }
  });

  test('under a worker that is being paused: each message is worked on once, and none begins meanwhile', async ({
    mq,
  }) => {
    await mq.run(['put', 'q'], seq(800));
    const out = join(mq.home, 'out');
    const work = mq.start(['work', 'q', '-j', '2', '--drain', '--', 'sh', '-c', `cat >> ${out}`]);
    const text = () => (existsSync(out) ? readFileSync(out, 'utf8') : '');
    for (let i = 0; i < kills(5) && work.child.exitCode === null; i++) {
      const before = text().length;
      await until(() => text().length > before + 100 || work.child.exitCode !== null);
      const command = mq.start(['pause', 'q']);
      await delay(Math.random() * 60);
      await mq.killDaemon();
      expect(await command.done).toMatchObject({ status: 0, err: '' });
      await until(async () => (await mq.stat('q'))['leased'] === 0);
      const paused = text();
      await mq.run(['join', '-t', '0.2', 'q']);
      expect(text()).toBe(paused);
      await mq.run(['resume', 'q']);
    }
    expect(await work.done).toMatchObject({ status: 0, err: '' });
    expect(
      text()
        .trim()
        .split('\n')
        .map(Number)
        .sort((a, b) => a - b),
    ).toEqual(Array.from({ length: 800 }, (_, i) => i + 1));
  });
});
