import { readFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { isAlive, type Mq, type Running, test, until } from './mq.ts';

/** Starts a command with a signal ignored, and waits until it has begun. */
async function startWithout(mq: Mq, signal: string, command: string): Promise<Running> {
  const running = mq.startSh(`trap '' ${signal}; exec mq ${command}`, { open: true });
  await until(() => isBegun(mq, running));
  return running;
}

/** The daemon knows of it, or it is one. */
async function isBegun(mq: Mq, { child }: Running): Promise<boolean> {
  if (mq.daemonPid() === child.pid) return true;
  const { status, out } = await mq.run(['status', '--json']);
  return status === 0 && (JSON.parse(out) as { connections: number }).connections > 1;
}

describe('a signal that was ignored when a command began stays ignored', () => {
  test.for([
    ['HUP', 'get q'],
    ['HUP', 'get -f q'],
    ['HUP', 'put q'],
    ['HUP', 'join held'],
    ['HUP', 'work q -- cat'],
    ['HUP', 'pipe p'],
    ['HUP', 'serve'],
    ['INT', 'get -f q'],
    ['INT', 'work q -- cat'],
    ['QUIT', 'get q'],
    ['USR1', 'get q'],
    ['ALRM', 'get q'],
  ] as const)('SIG%s: mq %s', async ([signal, command], { mq }) => {
    if (command === 'join held') await mq.run(['put', 'held', 'a']);
    else if (command !== 'serve') await mq.run(['create', 'q']);
    const { child, done } = await startWithout(mq, signal, command);
    child.kill(`SIG${signal}`);
    // It comes behind that one.
    child.kill('SIGTERM');
    expect((await done).signal).toBe('SIGTERM');
  });

  test('SIGTERM: mq get q', async ({ mq }) => {
    await mq.run(['create', 'q']);
    const { child, done } = await startWithout(mq, 'TERM', 'get q');
    child.kill('SIGTERM');
    await mq.run(['put', 'q', 'a']);
    expect(await done).toMatchObject({ status: 0, out: 'a\n' });
  });

  test('SIGTERM: mq serve', async ({ mq }) => {
    const { child } = await startWithout(mq, 'TERM', 'serve');
    child.kill('SIGTERM');
    expect((await mq.run(['put', 'q', 'a'])).status).toBe(0);
    expect(mq.daemonPid()).toBe(child.pid);
  });

  test('and a command that began otherwise ends by it', async ({ mq }) => {
    await mq.run(['create', 'q']);
    const get = mq.start(['get', 'q']);
    await mq.untilConsumers('q', 1);
    get.child.kill('SIGHUP');
    expect((await get.done).signal).toBe('SIGHUP');
  });

  test('with nohup, and for cmd & in a script', async ({ mq }) => {
    await mq.run(['create', 'q']);
    const script = mq.startSh('nohup mq get -t 60 q </dev/null & echo $!; mq get -t 60 q & echo $!; wait');
    await mq.untilConsumers('q', 2);
    const [first, second] = script.out().split('\n').map(Number) as [number, number];
    process.kill(first, 'SIGHUP');
    process.kill(second, 'SIGINT');
    await mq.run(['put', 'q', 'a', 'b']);
    const { out } = await script.done;
    expect(out.split('\n').slice(2).sort()).toEqual(['', 'a', 'b']);
  });
});

describe('the variable of bin/mq goes no further than the command', () => {
  test('neither commands of work and pipe nor the daemon have it', async ({ mq }) => {
    const work = await mq.sh("mq put q a; mq work q --drain -- sh -c 'env | grep -c ^MQ_GIVEN; true'");
    expect(work.out).toBe('0\n');
    const pipe = mq.start(['pipe', 'p', '--send', '--', 'sh', '-c', 'env | grep -c ^MQ_GIVEN; true']);
    expect((await mq.run(['pipe', 'p', '--recv'])).out).toBe('0\n');
    await pipe.done;
    expect(readFileSync(`/proc/${mq.daemonPid()}/environ`, 'utf8')).not.toContain('MQ_GIVEN');
  });

  test('variables of the user that bin/mq could use stay as they are', async ({ mq }) => {
    const { out } = await mq.sh(
      "export self=1 root=2 link=3; mq put q a; mq work q --drain -- sh -c 'echo $self $root $link'",
    );
    expect(out).toBe('1 2 3\n');
  });
});

describe('SIGTERM to the daemon', () => {
  test('where a command started it: it is started again, and who waits goes on', async ({ mq }) => {
    await mq.run(['create', 'q']);
    const get = mq.start(['get', 'q']);
    await mq.untilConsumers('q', 1);
    const pid = mq.daemonPid() as number;
    process.kill(pid, 'SIGTERM');
    await until(() => !isAlive(pid));
    expect(mq.log).toContain('ends: SIGTERM');
    await mq.untilConsumers('q', 1);
    await mq.run(['put', 'q', 'a']);
    expect(await get.done).toMatchObject({ status: 0, out: 'a\n', err: '' });
  });

  test('a command of work runs on meanwhile, once', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    const work = mq.startSh(
      "mq work q --drain -- sh -c 'echo begun >>$MQ_HOME/begun; read x <$MQ_HOME/go'",
      {},
    );
    await mq.sh('mkfifo $MQ_HOME/go');
    await until(async () => (await mq.sh('cat $MQ_HOME/begun')).status === 0);
    const pid = mq.daemonPid() as number;
    process.kill(pid, 'SIGTERM');
    await until(() => !isAlive(pid));
    await mq.sh('echo >$MQ_HOME/go');
    expect(await work.done).toMatchObject({ status: 0, err: '' });
    expect((await mq.sh('cat $MQ_HOME/begun')).out).toBe('begun\n');
    expect(await mq.stat('q')).toMatchObject({ done: 1, waiting: 0, leased: 0 });
  });

  test.for([
    ['mq serve', 'exec mq serve'],
    [
      'mq serve of a manager that is Node',
      `exec node -e 'require("child_process").spawn("mq", ["serve"], { stdio: ["ignore", 1, 2, "ipc"] })'`,
    ],
  ] as const)('%s is stopped by it: who waits is told (69)', async ([, script], { mq }) => {
    const serve = mq.startSh(script);
    await until(async () => (await mq.run(['status'])).status === 0);
    await mq.run(['create', 'q']);
    const get = mq.start(['get', 'q']);
    await mq.untilConsumers('q', 1);
    process.kill(mq.daemonPid() as number, 'SIGTERM');
    expect((await get.done).status).toBe(69);
    expect((await serve.done).err).toContain('stops: SIGTERM');
    expect((await mq.run(['status'])).status).toBe(69);
  });
});
