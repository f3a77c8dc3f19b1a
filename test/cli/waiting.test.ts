import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { describe, expect } from 'vitest';
import { seq, test, until } from './mq.ts';

describe('waiting', () => {
  test('get waits until a message arrives', async ({ mq }) => {
    const get = mq.start(['get', 'q']);
    await mq.run(['create', 'q']);
    await mq.untilConsumers('q', 1);
    await mq.run(['put', 'q', 'hello']);
    expect(await get.done).toMatchObject({ status: 0, out: 'hello\n' });
  });

  test('blocked gets are served in order of arrival', async ({ mq }) => {
    await mq.run(['create', 'q']);
    const gets = [];
    for (let i = 1; i <= 3; i++) {
      gets.push(mq.start(['get', 'q']));
      await mq.untilConsumers('q', i);
    }
    for (const message of ['a', 'b', 'c']) await mq.run(['put', 'q', message]);
    expect((await Promise.all(gets.map(({ done }) => done))).map(({ out }) => out)).toEqual([
      'a\n',
      'b\n',
      'c\n',
    ]);
  });

  test('a get that gives up costs nobody a message', async ({ mq }) => {
    const short = mq.start(['get', '-t', '0.1', 'q']);
    expect((await short.done).status).toBe(3);
    await mq.run(['put', 'q', 'a']);
    expect((await mq.run(['get', '-n', 'q'])).out).toBe('a\n');
  });

  test('a put into a full queue waits for room, in order of arrival', async ({ mq }) => {
    await mq.run(['create', 'q', '--maxsize', '1']);
    await mq.run(['put', 'q', '0']);
    // One connection for each, in a known order: each is seen to wait before the next comes.
    const first = mq.start(['put', 'q', '1a', '1b']);
    await connections(mq, 1);
    const second = mq.start(['put', 'q', '2']);
    await connections(mq, 2);
    const out = [];
    for (let i = 0; i < 4; i++) out.push((await mq.run(['get', '-t', '20', 'q'])).out.trim());
    expect(out).toEqual(['0', '1a', '1b', '2']);
    expect((await first.done).status).toBe(0);
    expect((await second.done).status).toBe(0);
  });

  test('put -n and -t tell a full queue by status 3, and how many messages were stored', async ({ mq }) => {
    await mq.run(['create', 'q', '--maxsize', '3']);
    const nowait = await mq.run(['put', '-n', 'q'], seq(5));
    expect(nowait).toMatchObject({ status: 3, err: 'mq: put q: queue q is full; 3 messages were stored\n' });
    const timeout = await mq.run(['put', '-t', '100ms', 'q', 'x']);
    expect(timeout).toMatchObject({ status: 3, err: 'mq: put q: queue q is full\n' });
    expect((await mq.run(['put', '-q', '-t', '0', 'q', 'x'])).err).toBe('');
    expect((await mq.run(['get', '-a', 'q'])).out).toBe(seq(3));
  });

  test('thousands of lines that wait for room hold nobody else up', async ({ mq }) => {
    await mq.run(['create', 'q', '--maxsize', '1']);
    await mq.run(['put', 'q', '0']);
    // A frame a line, as from a slow producer.
    const frames = Array.from(
      { length: 20_000 },
      (_, i) => `*3\r\n$3\r\nPUT\r\n$1\r\nq\r\n$5\r\n${10_000 + i}\r\n`,
    );
    const socket = connect(mq.socket);
    socket.resume();
    socket.write(frames.join(''));
    await connections(mq, 1);
    const daemon = mq.daemonPid() as number;
    const before = cpuSeconds(daemon);
    const got = (await mq.run(['get', '-c', '2000', 'q'])).out.trimEnd().split('\n');
    expect(got).toEqual(['0', ...Array.from({ length: 1999 }, (_, i) => String(10_000 + i))]);
    // Minutes, if each message that goes out had the daemon look at all that wait.
    expect(cpuSeconds(daemon) - before).toBeLessThan(20);
    socket.destroy();
  });

  test('a limit that is raised lets blocked puts go on', async ({ mq }) => {
    await mq.run(['create', 'q', '--maxsize', '1']);
    const put = mq.start(['put', 'q'], { input: seq(10) });
    await until(async () => (await mq.size('q')) === 1);
    await mq.run(['set', 'q', '--maxsize', '0']);
    expect((await put.done).status).toBe(0);
    expect((await mq.run(['get', '-a', 'q'])).out).toBe(seq(10));
  });

  test('get -n tells an empty queue by status 3', async ({ mq }) => {
    expect(await mq.run(['get', '-n', 'q'])).toMatchObject({
      status: 3,
      out: '',
      err: 'mq: get q: no message\n',
    });
    expect(await mq.run(['get', '-nq', 'q'])).toMatchObject({ status: 3, err: '' });
  });

  test('closing a queue wakes who waits, and lets gets drain it', async ({ mq }) => {
    await mq.run(['create', 'q', '--maxsize', '2']);
    await mq.run(['put', 'q', 'a', 'b']);
    const put = mq.start(['put', 'q', 'c']);
    const follow = mq.start(['get', '-f', 'other', 'q']);
    const get = mq.start(['get', 'third']);
    await mq.run(['create', 'third']);
    await mq.run(['create', 'other']);
    await mq.untilConsumers('third', 1);
    await mq.run(['close', 'third']);
    expect((await get.done).status).toBe(4);
    await until(() => follow.out() !== '');
    expect((await put.done).status).toBe(0);
    await mq.run(['close', 'q']);
    await mq.run(['close', 'other']);
    expect(await follow.done).toMatchObject({ status: 0, out: 'a\nb\nc\n' });
    expect((await mq.run(['put', 'q', 'd'])).status).toBe(4);
    expect((await mq.run(['get', 'q'])).status).toBe(4);
    await mq.run(['open', 'q']);
    expect((await mq.run(['put', 'q', 'd'])).status).toBe(0);
  });

  test('get -c of a queue that ends early prints what came, and answers 4', async ({ mq }) => {
    await mq.run(['put', 'q', 'a', 'b']);
    await mq.run(['close', 'q']);
    expect(await mq.run(['get', '-c', '5', 'q'])).toMatchObject({ status: 4, out: 'a\nb\n' });
    expect(await mq.run(['get', '-a', 'q'])).toMatchObject({ status: 4, out: '' });
    expect(await mq.run(['get', '-f', 'q'])).toMatchObject({ status: 0, out: '' });
  });

  test('a put that is blocked when the queue is closed answers 4 and says what was stored', async ({
    mq,
  }) => {
    await mq.run(['create', 'q', '--maxsize', '2']);
    const put = mq.start(['put', 'q'], { input: seq(5) });
    await until(async () => (await mq.size('q')) === 2);
    await mq.run(['close', 'q']);
    expect(await put.done).toMatchObject({
      status: 4,
      err: expect.stringMatching(/^mq: put q: queue q is closed; 2 messages were stored\n/),
    });
  });

  test('close --now drops what waits', async ({ mq }) => {
    await mq.run(['put', 'q', 'a', 'b']);
    await mq.run(['close', '--now', 'q']);
    expect((await mq.run(['get', 'q'])).status).toBe(4);
    expect(await mq.stat('q')).toMatchObject({ state: 'closed', waiting: 0, put: 2, got: 0 });
  });
});

/** Waits until so many other commands are connected. */
async function connections(
  mq: { run: (args: string[]) => Promise<{ out: string }> },
  count: number,
): Promise<void> {
  // The one that asks is connected too.
  await until(async () => JSON.parse((await mq.run(['status', '--json'])).out).connections === count + 1);
}

/** The processor time of a process, which no other process lengthens as it does a wait. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13);
  // In hundredths of seconds on every Linux (sysconf(_SC_CLK_TCK)).
  return (Number(user) + Number(system)) / 100;
}
