import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { type Mq, test, until } from './mq.ts';

const lease = async (mq: Mq, queue = 'q', duration = '1h'): Promise<[token: string, body: string]> => {
  const { status, out } = await mq.run(['get', '-n', '--lease', duration, queue]);
  expect(status).toBe(0);
  return out.trimEnd().split('\t') as [string, string];
};

describe('a lease', () => {
  test('get --lease prints LEASE<TAB>message; done ends it, and a second done answers 5', async ({ mq }) => {
    await mq.run(['put', 'q', 'a', 'b\tc']);
    const [first, body] = await lease(mq);
    expect(body).toBe('a');
    expect(await mq.stat('q')).toMatchObject({ waiting: 1, leased: 1, got: 1, done: 0 });
    const both = await mq.run(['get', '--lease', '1h', '--json', 'q']);
    const second = JSON.parse(both.out);
    expect(second).toMatchObject({ queue: 'q', body: 'b\tc', attempt: 1 });
    expect(Date.parse(second.lease_until)).toBeGreaterThan(Date.now() + 3_500_000);
    expect(await mq.run(['done', 'q', first, second.lease])).toMatchObject({ status: 0, err: '' });
    expect(await mq.stat('q')).toMatchObject({ waiting: 0, leased: 0, done: 2 });
    const again = await mq.run(['done', 'q', first]);
    expect(again).toMatchObject({
      status: 5,
      err: `mq: done q: there is no lease '${first}'\nA lease is gone when it has run out, or was settled.\n`,
    });
  });

  test('of several leases, those that are there are settled, and the others are named', async ({ mq }) => {
    await mq.run(['put', 'q', 'a', 'b']);
    const [a] = await lease(mq);
    const [b] = await lease(mq);
    const result = await mq.run(['done', 'q', a, '7.none', b, 'nonsense']);
    expect(result).toMatchObject({ status: 5 });
    expect(result.err).toBe(
      "mq: done q: there is no lease 'nonsense', '7.none'\nA lease is gone when it has run out, or was settled.\n",
    );
    expect(await mq.stat('q')).toMatchObject({ leased: 0, done: 2 });
    expect((await mq.run(['done', 'none', a])).status).toBe(5);
  });

  test('outlives a SIGKILL of the daemon, and its client', async ({ mq }) => {
    await mq.run(['put', 'q', 'a', 'b']);
    const [token] = await lease(mq);
    await mq.killDaemon();
    expect((await mq.run(['get', '-a', 'q'])).out).toBe('b\n');
    expect((await mq.run(['extend', 'q', token, '2h'])).status).toBe(0);
    await mq.killDaemon();
    expect((await mq.run(['done', 'q', token])).status).toBe(0);
    expect(await mq.stat('q')).toMatchObject({ waiting: 0, leased: 0, done: 2 });
  });

  test('runs out on time, though the daemon was killed meanwhile: a get that waits has the message then', async ({
    mq,
  }) => {
    await mq.run(['put', 'q', 'a']);
    const [token] = await lease(mq, 'q', '500ms');
    await mq.killDaemon();
    const get = await mq.run(['get', '--json', 'q']);
    expect(JSON.parse(get.out)).toMatchObject({ body: 'a', attempt: 2 });
    expect((await mq.run(['done', 'q', token])).status).toBe(5);
  });

  test('fail: the message comes back after --delay, and after max-attempts it is in the dead-letter queue', async ({
    mq,
  }) => {
    await mq.run(['create', 'q', '--max-attempts', '2', '--retry-delay', '1h']);
    await mq.run(['put', 'q', 'a']);
    const [first] = await lease(mq);
    expect(await mq.run(['fail', 'q', first, '--delay', '50ms'])).toMatchObject({ status: 0, err: '' });
    const [second] = (await mq.run(['get', '--lease', '1h', 'q'])).out.split('\t') as [string];
    expect(second).not.toBe(first);
    expect((await mq.run(['fail', 'q', second])).status).toBe(0);
    expect(await mq.stat('q')).toMatchObject({ waiting: 0, delayed: 0, failed: 2, dead: 1 });
    expect((await mq.run(['move', 'q.dead', 'q', '-q'])).status).toBe(0);
    expect(JSON.parse((await mq.run(['get', '-n', '--json', 'q'])).out)).toMatchObject({ attempt: 1 });
  });

  test('a get --lease that is SIGKILLed before it wrote leaves the message in its place, uncounted', async ({
    mq,
  }) => {
    // Longer than a pipe holds, so that it waits for its reader.
    const long = 'x'.repeat(500_000);
    await mq.run(['put', '-w', 'q'], long);
    await mq.run(['put', 'q', 'next']);
    const pipe = join(mq.home, 'pipe');
    const get = mq.startSh(`mkfifo ${pipe} && exec mq get --lease 1h q 3<>${pipe} >&3`);
    await until(async () => (await mq.stat('q'))['leased'] === 1);
    get.child.kill('SIGKILL');
    await get.done;
    await until(async () => (await mq.stat('q'))['waiting'] === 2);
    const first = JSON.parse((await mq.run(['get', '-n', '--json', 'q'])).out);
    expect([first.body === long, first.attempt]).toEqual([true, 1]);
  });

  test('get --lease with -c, -a and -0 prints each with a lease of its own', async ({ mq }) => {
    await mq.sh('seq 5 | mq put q');
    const three = await mq.run(['get', '-c', '3', '--lease', '1h', 'q']);
    const leases = three.out
      .trim()
      .split('\n')
      .map((line) => line.split('\t'));
    expect(leases.map(([, body]) => body)).toEqual(['1', '2', '3']);
    const rest = await mq.run(['get', '-a', '-0', '--lease', '1h', 'q']);
    expect(rest.out.split('\0').map((each) => each.split('\t')[1])).toEqual(['4', '5', undefined]);
    const tokens = [
      ...leases.map(([token]) => token as string),
      ...rest.out.split('\0', 2).map((each) => each.split('\t')[0] as string),
    ];
    expect((await mq.run(['done', 'q', ...tokens])).status).toBe(0);
    expect(await mq.stat('q')).toMatchObject({ waiting: 0, leased: 0, done: 5 });
  });

  test('wrong usage answers 2, in one clear line and another that helps', async ({ mq }) => {
    for (const args of [
      ['get', '--lease', '0', 'q'],
      ['get', '--lease', '1h', 'a', 'b'],
      ['get', '--lease', 'soon', 'q'],
      ['done', 'q'],
      ['extend', 'q', '1.a', '0'],
      ['extend', 'q', '1.a'],
      ['fail', 'q', '1.a', '--delay', '-1'],
      ['put', '--ttl', '0', 'q', 'x'],
      ['put', '--key', 'k', 'q', 'x', 'y'],
      ['put', '--key', 'k', 'q'],
      ['put', '--key', '', 'q', 'x'],
      ['put', '--delay', '40000d', 'q', 'x'],
      ['create', 'q', '--dead-letter', 'q'],
      ['create', 'q', '--dead-letter', '.q'],
      ['create', 'q', '--max-attempts', '-1'],
      ['join', '-n', '-t', '1', 'q'],
    ]) {
      const { status, err } = await mq.run(args);
      expect([args, status]).toEqual([args, 2]);
      expect(err).toMatch(/^mq: .+\n(.+\n)?$/);
    }
  });
});

describe('put', () => {
  test('--delay: the message can be got later, by a get that waits without asking again', async ({ mq }) => {
    await mq.run(['put', '--delay', '1h', 'far', 'much later']);
    expect((await mq.run(['get', '-n', 'far'])).status).toBe(3);
    expect(await mq.stat('far')).toMatchObject({ waiting: 0, delayed: 1 });
    await mq.run(['put', '--delay', '1s', 'q', 'later']);
    expect((await mq.run(['get', 'q'])).out).toBe('later\n');
  });

  test('--ttl: what was not taken in time never comes out, and is counted', async ({ mq }) => {
    await mq.run(['put', '--ttl', '100ms', 'q', 'mortal']);
    await mq.run(['put', 'q', 'immortal']);
    await until(async () => (await mq.stat('q'))['expired'] === 1);
    expect((await mq.run(['get', '-a', 'q'])).out).toBe('immortal\n');
  });

  test('--key: does nothing while the same is unfinished, also after a crash', async ({ mq }) => {
    for (const body of ['a', 'b']) expect((await mq.run(['put', '--key', 'k', 'q', body])).status).toBe(0);
    await mq.killDaemon();
    expect((await mq.run(['put', '-w', '--key', 'k', 'q'], 'c')).status).toBe(0);
    expect((await mq.run(['get', '-a', 'q'])).out).toBe('a\n');
    expect((await mq.run(['put', '--key', 'k', 'q', 'd'])).status).toBe(0);
    expect(await mq.size('q')).toBe(1);
  });
});

describe('join', () => {
  test('wakes when the last unfinished message is done, whoever finishes it', async ({ mq }) => {
    await mq.run(['put', 'q', 'got', 'leased']);
    await mq.run(['put', '--delay', '100ms', 'q', 'delayed']);
    expect(await mq.run(['join', '-n', 'q'])).toMatchObject({ status: 3 });
    const joining = mq.start(['join', 'q']);
    await mq.run(['get', 'q']);
    const [token] = await lease(mq);
    await mq.run(['get', 'q']);
    expect((await mq.run(['join', '-t', '50ms', 'q'])).status).toBe(3);
    expect(joining.child.exitCode).toBe(null);
    await mq.run(['done', 'q', token]);
    expect(await joining.done).toMatchObject({ status: 0, out: '', err: '' });
  });

  test('waits on when the daemon is SIGKILLed', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    const joining = mq.start(['join', 'q']);
    await until(async () => JSON.parse((await mq.run(['status', '--json'])).out).connections === 2);
    await mq.killDaemon();
    await mq.run(['get', 'q']);
    expect((await joining.done).status).toBe(0);
  });

  test('answers 5 for no queue, also for one that is removed; close --now wakes it; mq stop ends it (69)', async ({
    mq,
  }) => {
    expect((await mq.run(['join', 'q'])).status).toBe(5);
    const connections = async () => JSON.parse((await mq.run(['status', '--json'])).out).connections - 1;
    for (const [end, status] of [
      [['rm', '--force', 'q'], 5],
      [['close', '--now', 'q'], 0],
      [['stop'], 69],
    ] as const) {
      await mq.run(['open', 'q']);
      await mq.run(['put', 'q', 'a', 'b']);
      await lease(mq);
      const joining = mq.start(['join', 'q']);
      await until(async () => (await connections()) === 1);
      await mq.run([...end]);
      expect((await joining.done).status, end.join(' ')).toBe(status);
    }
  });
});
