import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { kills } from '../kills.ts';
import {
  commandOf,
  commandsOf,
  isAlive,
  type Mq,
  nodeOf,
  processesOf,
  type Running,
  seq,
  test,
  until,
} from './mq.ts';

const leased = async (mq: Mq, queue = 'q') => (await mq.stat(queue))['leased'];

/** Parts of a worker: the process that was called, which starts commands, and its Node. */
const PARTS = ['the worker', 'its Node'] as const;

function killPart({ child }: Running, part: (typeof PARTS)[number]): void {
  const pid = child.pid as number;
  process.kill(part === 'the worker' ? pid : (nodeOf(pid) ?? pid), 'SIGKILL');
}

describe('a worker that ends', () => {
  const running = async (mq: Mq, ...args: string[]): Promise<Running> => {
    await mq.run(['put', 'q', 'a', 'b', 'c']);
    const work = mq.start(['work', 'q', '-j', '2', ...args]);
    // Messages on lease may not have begun.
    await until(() => commandsOf(work.child.pid as number).length === 2);
    return work;
  };
  const forever = (mq: Mq) => ['--', 'sh', '-c', `echo $$ >> ${mq.home}/pids; while :; do sleep 0.05; done`];
  const pids = (mq: Mq) =>
    existsSync(join(mq.home, 'pids'))
      ? readFileSync(join(mq.home, 'pids'), 'utf8').trim().split('\n').map(Number)
      : [];
  const endCommands = (mq: Mq) => {
    for (const pid of pids(mq)) process.kill(-pid, 'SIGKILL');
  };

  test.for(PARTS)(
    'by SIGKILL of %s: its messages are back at once, uncounted, and its commands run on',
    async (part, { mq }) => {
      const work = await running(mq, ...forever(mq));
      await until(() => pids(mq).length === 2);
      killPart(work, part);
      await until(async () => (await mq.stat('q'))['waiting'] === 3);
      expect(await mq.stat('q')).toMatchObject({ leased: 0, failed: 0 });
      expect(pids(mq).every(isAlive)).toBe(true);
      await until(() => work.child.signalCode === 'SIGKILL');
      await until(() => processesOf(mq.home).every((pid) => !/ work q /.test(commandOf(pid))));
      endCommands(mq);
      await work.done;
    },
  );

  test('by SIGKILL, and the daemon with it: its messages are back at once, uncounted', async ({ mq }) => {
    const work = await running(mq, ...forever(mq));
    await until(() => pids(mq).length === 2);
    work.child.kill('SIGSTOP');
    await mq.killDaemon();
    work.child.kill('SIGKILL');
    await until(async () => (await mq.stat('q'))['waiting'] === 3);
    expect(await mq.stat('q')).toMatchObject({ leased: 0, failed: 0 });
    expect(pids(mq).every(isAlive)).toBe(true);
    endCommands(mq);
    await work.done;
  });

  test('by SIGKILL while it waits for what runs, and the daemon with it: its messages are back at once, uncounted', async ({
    mq,
  }) => {
    const work = await running(mq, ...forever(mq));
    await until(() => pids(mq).length === 2);
    work.child.kill('SIGTERM');
    await until(() => work.err().includes('a second signal'));
    await until(async () => (await leased(mq)) === 2);
    work.child.kill('SIGSTOP');
    await mq.killDaemon();
    work.child.kill('SIGKILL');
    await until(async () => (await mq.stat('q'))['waiting'] === 3);
    expect(await mq.stat('q')).toMatchObject({ leased: 0, failed: 0 });
    endCommands(mq);
    await work.done;
  });

  test('by SIGTERM while it looks for the next daemon: what it works on stays its own', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    const go = join(mq.home, 'go');
    const script = `until [ -e ${go} ]; do sleep 0.01; done; cat`;
    // One command runs, and a get waits.
    const work = mq.start(['work', 'q', '-j', '2', '--', 'sh', '-c', script]);
    await until(() => commandsOf(work.child.pid as number).length === 1);
    await mq.killDaemon();
    work.child.kill('SIGTERM');
    await until(() => work.err().includes('a second signal'));
    const connections = async () => JSON.parse((await mq.run(['status', '--json'])).out || '{}').connections;
    await until(async () => (await connections()) > 1);
    expect(await mq.run(['get', '-n', 'q'])).toMatchObject({ status: 3 });
    writeFileSync(go, '');
    expect(await work.done).toMatchObject({
      signal: 'SIGTERM',
      out: 'a\n',
      err: 'mq: work q: waiting for 1 command to finish; a second signal ends them\n',
    });
    expect(await mq.stat('q')).toMatchObject({ waiting: 0, leased: 0, done: 1, failed: 0 });
  });

  test('not when the daemon is SIGKILLed: it goes on', async ({ mq }) => {
    const go = join(mq.home, 'go');
    const script = `until [ -e ${go} ]; do sleep 0.01; done; echo $MQ_ATTEMPT`;
    const work = await running(mq, '--drain', '--', 'sh', '-c', script);
    await mq.killDaemon();
    await until(async () => (await leased(mq)) === 2);
    writeFileSync(go, '');
    expect(await work.done).toMatchObject({ status: 0, out: '1\n1\n1\n', err: '' });
    expect(await mq.stat('q')).toMatchObject({ done: 3, failed: 0 });
  });

  test.for(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'by %s: it takes nothing new, and lets what runs finish',
    async (signal, { mq }) => {
      const go = join(mq.home, 'go');
      const work = await running(mq, '--', 'sh', '-c', `until [ -e ${go} ]; do sleep 0.01; done; cat`);
      work.child.kill(signal);
      await until(() => work.err().includes('a second signal'));
      await mq.run(['put', 'q', 'd']);
      writeFileSync(go, '');
      const result = await work.done;
      expect(result.signal).toBe(signal);
      expect(result.out.split('\n').sort()).toEqual(['', 'a', 'b']);
      expect(result.err).toBe('mq: work q: waiting for 2 commands to finish; a second signal ends them\n');
      expect(await mq.stat('q')).toMatchObject({ waiting: 2, leased: 0, done: 2, failed: 0 });
    },
  );

  test('by SIGTERM while the daemon is SIGKILLed: what runs keeps its message', async ({ mq }) => {
    const go = join(mq.home, 'go');
    await mq.run(['put', 'late', 'a']);
    const script = `until [ -e ${go} ]; do sleep 0.01; done; cat`;
    const work = mq.start(['work', 'late', '-j', '2', '--', 'sh', '-c', script]);
    await until(async () => (await leased(mq, 'late')) === 1);
    const daemon = mq.daemonPid() as number;
    process.kill(daemon, 'SIGSTOP');
    work.child.kill('SIGTERM');
    await until(() => work.err().includes('a second signal'));
    await mq.killDaemon();
    await until(async () => (await mq.stat('late'))['consumers'] === 1);
    // By then it would have been given back.
    for (let look = 0; look < 5; look++) expect(await leased(mq, 'late')).toBe(1);
    writeFileSync(go, '');
    const result = await work.done;
    expect(result).toMatchObject({ signal: 'SIGTERM', out: 'a\n' });
    expect(result.err).not.toContain('lease is gone');
    expect(await mq.stat('late')).toMatchObject({ waiting: 0, leased: 0, done: 1 });
  });

  test('by SIGINT while it waits: at once', async ({ mq }) => {
    await mq.run(['create', 'q']);
    const work = mq.start(['work', 'q', '--', 'true']);
    await mq.untilConsumers('q', 1);
    work.child.kill('SIGINT');
    expect(await work.done).toMatchObject({ signal: 'SIGINT', err: '' });
  });

  test('by a second SIGINT: it ends the commands, all of their group, and gives the messages back', async ({
    mq,
  }) => {
    const script = `sleep 1000 & echo $! >> ${mq.home}/pids; wait`;
    const work = await running(mq, '--', 'sh', '-c', script);
    await until(() => pids(mq).length === 2);
    work.child.kill('SIGINT');
    await until(() => work.err().includes('a second signal'));
    work.child.kill('SIGINT');
    expect((await work.done).signal).toBe('SIGINT');
    await until(() => pids(mq).every((pid) => !isAlive(pid)));
    expect(await mq.stat('q')).toMatchObject({ waiting: 3, leased: 0, failed: 0 });
  });

  test('by a second SIGINT while it waits for room in --into: at once', async ({ mq }) => {
    await mq.run(['create', 'out', '--maxsize', '1']);
    await mq.run(['put', 'out', 'full']);
    await mq.run(['put', 'q', 'a']);
    const ran = join(mq.home, 'ran');
    const work = mq.start(['work', 'q', '--into', 'out', '--', 'sh', '-c', `cat; : >${ran}`]);
    await until(() => existsSync(ran));
    await until(() => commandsOf(work.child.pid as number).length === 0);
    await until(async () => (await mq.stat('out'))['consumers'] === 0);
    work.child.kill('SIGINT');
    await until(() => work.err().includes('a second signal'));
    work.child.kill('SIGINT');
    expect((await work.done).signal).toBe('SIGINT');
    expect(await mq.stat('q')).toMatchObject({ waiting: 1, leased: 0, failed: 0 });
    expect(await mq.size('out')).toBe(1);
  });

  test('by mq stop: it ends the commands, gives the messages back, and ends with 69', async ({ mq }) => {
    const work = await running(mq, ...forever(mq));
    await until(() => pids(mq).length === 2);
    await mq.run(['stop']);
    expect(await work.done).toMatchObject({ status: 69, err: 'mq: work q: the daemon was stopped\n' });
    expect(pids(mq).every((pid) => !isAlive(pid))).toBe(true);
    expect(await mq.stat('q')).toMatchObject({ waiting: 3, leased: 0, failed: 0 });
  });
});

describe('exactly one set of outputs for each input', () => {
  const KILLS = kills(10);
  const COUNT = KILLS * 40;
  const timeout = 120_000 + KILLS * 3000;
  const args = ['work', 'q', '-j', '4', '--into', 'out'];
  const command = ['--', 'sh', '-c', 'read x; echo "$x a"; echo "$x b"'];
  const check = async (mq: Mq) => {
    const { out } = await mq.run(['get', '-a', 'out']);
    const expected = seq(COUNT)
      .trim()
      .split('\n')
      .flatMap((i) => [`${i} a`, `${i} b`]);
    expect(out.trim().split('\n').sort()).toEqual(expected.sort());
    expect(await mq.stat('q')).toMatchObject({ done: COUNT, failed: 0, waiting: 0, leased: 0 });
  };
  /** Waits until some more are done: at random, and so many that about the last kill comes at the end. */
  const random = async (mq: Mq, done: number, { child }: Running) => {
    const wanted = done + Math.random() * (COUNT / KILLS) * 1.5;
    await until(async () => {
      const { done } = await mq.stat('q');
      return Number(done) > wanted || Number(done) === COUNT || child.exitCode !== null;
    });
    return Number((await mq.stat('q'))['done']);
  };

  test.for(PARTS)(`with %s SIGKILLed ${KILLS} times`, { timeout }, async (part, { mq }) => {
    await mq.run(['put', 'q'], seq(COUNT));
    let done = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const work = mq.start([...args, ...command]);
      done = await random(mq, done, work);
      killPart(work, part);
      await work.done;
    }
    await mq.run([...args, '--drain', ...command]);
    await check(mq);
  });

  test(`with the daemon SIGKILLed ${KILLS} times`, { timeout }, async ({ mq }) => {
    await mq.run(['put', 'q'], seq(COUNT));
    const work = mq.start([...args, '--drain', ...command]);
    let done = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      done = await random(mq, done, work);
      await mq.killDaemon();
    }
    expect(await work.done).toMatchObject({ status: 0, err: '' });
    await check(mq);
  });
});
