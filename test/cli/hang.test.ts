import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect } from 'vitest';
import { type Mq, test, until } from './mq.ts';

/** Stops the daemon while `run` does something. */
async function whileStopped<T>(mq: Mq, run: () => Promise<T>): Promise<T> {
  const daemon = mq.daemonPid() as number;
  process.kill(daemon, 'SIGSTOP');
  try {
    return await run();
  } finally {
    process.kill(daemon, 'SIGCONT');
  }
}

// They wait most of the time.
describe.concurrent('a daemon that hangs', () => {
  test('-n and -t end all the same, and 69 says that nothing was done', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    const results = await whileStopped(mq, async () => {
      const patient = mq.start(['size', 'q']);
      const commands = [
        ['get', '-n', 'q'],
        ['get', '-t', '1', 'q'],
        ['put', '-n', 'q', 'b'],
        ['join', '-t', '1', 'q'],
        ['pipe', '-n', 'p'],
      ];
      const results = await Promise.all(commands.map((args) => mq.run(args, '')));
      // One without them, which began first, waits on.
      expect(patient.child.exitCode).toBe(null);
      return results;
    });
    expect(results.map(({ status, out }) => [status, out])).toEqual(results.map(() => [69, '']));
    expect((await mq.run(['get', '-a', 'q'])).out).toBe('a\n');
  });

  test('without them a command ends after 15 seconds, also stop', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    const commands = [['get', 'q'], ['put', 'q', 'b'], ['size', 'q'], ['stop'], ['done', 'q', '1.a']];
    const results = await whileStopped(mq, () => Promise.all(commands.map((args) => mq.run(args))));
    for (const { status, err } of results) {
      expect(status).toBe(69);
      expect(err).toContain('the daemon does not answer');
    }
    expect((await mq.run(['get', '-a', 'q'])).out).toBe('a\n');
  });

  test('work ends its commands and itself, though it waits for messages too', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    const work = mq.start(['work', 'q', '-j', '2', '--lease', '3s', '--', 'sleep', '1000']);
    await until(async () => (await mq.stat('q'))['leased'] === 1);
    const { status, err } = await whileStopped(mq, () => work.done);
    expect(err).toContain('the daemon does not answer');
    expect(status).toBe(79);
  });

  test('what was sent to it may be stored: 79, and how many are for certain', async ({ mq }) => {
    const put = mq.start(['put', '-t', '3', 'q'], { open: true });
    put.child.stdin?.write('a\n');
    await until(async () => (await mq.size('q')) === 1);
    const { status, err } = await whileStopped(mq, () => {
      put.child.stdin?.end('b\n');
      return put.done;
    });
    expect(err).toMatch(
      /^mq: put q: the daemon does not answer: it is not known .*; 1 message was stored for certain\n$/,
    );
    expect(status).toBe(79);
    // It had it, and it wakes up.
    await until(async () => (await mq.size('q')) === 2);
  });
});

describe.concurrent('a daemon that stood still', () => {
  /** Longer than the lease. */
  const STANDSTILL = 4500;

  test('hears that a message is still worked on before its lease runs out', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    const ran = join(mq.home, 'ran');
    const work = mq.startSh(
      `exec mq work q --lease 3s --drain -- sh -c 'echo >> ${ran}; until [ -e ${ran}.go ]; do sleep 0.1; done'`,
    );
    await until(() => existsSync(ran));
    await whileStopped(mq, () => new Promise((resolve) => setTimeout(resolve, STANDSTILL)));
    // It runs out so much later at most.
    await new Promise((resolve) => setTimeout(resolve, STANDSTILL));
    expect(await mq.stat('q')).toMatchObject({ leased: 1, failed: 0 });
    writeFileSync(`${ran}.go`, '');
    expect(await work.done).toMatchObject({ status: 0, err: '' });
    expect(readFileSync(ran, 'utf8')).toBe('\n');
  });
});

describe('a program that listens on the socket', () => {
  let server: Server | undefined;
  const sockets = new Set<Socket>();
  const listen = (mq: Mq, receive: (socket: Socket, text: string) => void) =>
    new Promise<void>((resolve) => {
      server = createServer((socket) => {
        sockets.add(socket);
        socket.on('error', () => {});
        socket.on('data', (chunk) => receive(socket, chunk.toString()));
      }).listen(mq.socket, resolve);
    });
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server?.close(resolve));
  });
  const GREETING =
    '%3\r\n$6\r\nserver\r\n$2\r\nmq\r\n$7\r\nversion\r\n$6\r\n99.0.0\r\n$11\r\nmax_message\r\n:1000\r\n';

  test.for([
    'hello\r\n',
    '+OK\r\n',
    '%1\r\n+server\r\n+redis\r\n',
    '-ERR unknown command\r\n',
    '*1\r\n$-5\r\n',
  ])('and is no mq is told from one (76): %j', async (answer, { mq }) => {
    await listen(mq, (socket) => socket.write(answer));
    for (const args of [['get', '-n', 'q'], ['put', 'q', 'a'], ['ls'], ['stop']])
      expect(await mq.run(args), args.join(' ')).toMatchObject({ status: 76 });
  });

  test.for([
    ['get', '*1\r\n$1\r\na\r\n'],
    ['get', '$1\r\na\r\n'],
    ['get', '*2\r\n$1\r\nq\r\n*0\r\n'],
    ['get', ':1\r\n'],
    ['get', '*1\r\n*7\r\n:1\r\n:1\r\n:0\r\n:0\r\n:1\r\n:1\r\n_\r\n'],
    ['stat', '+OK\r\n'],
    ['ls', ':1\r\n'],
  ] as const)('gives an answer of another form (76): %s %j', async ([verb, answer], { mq }) => {
    await listen(mq, (socket, text) => socket.write(text.includes('HELLO') ? GREETING : answer));
    const args = verb === 'ls' ? ['ls'] : [verb, 'q'];
    const { status, out, err } = await mq.run(args);
    expect({ status, out }).toEqual({ status: 76, out: '' });
    // It was greeted as one: only the answer is wrong.
    expect(err).not.toContain('is not mq');
  });

  test.for(['0', '1'])(
    'done says how many of several leases it settled before the daemon was stopped (MQ_FRONT=%s)',
    async (front, { mq }) => {
      let asked = 0;
      await listen(mq, (socket, text) => {
        if (text.includes('HELLO')) socket.write(GREETING);
        for (const _ of text.matchAll(/DONE\r\n/g))
          socket.write(++asked === 1 ? ':1\r\n' : '-STOPPED the daemon was stopped\r\n');
      });
      const { status, err } = await mq.run(['done', 'q', '1.a', '2.b', '3.c'], undefined, {
        env: { ...mq.env, MQ_FRONT: front },
      });
      expect({ status, err }).toEqual({
        status: 69,
        err: 'mq: done q: the daemon was stopped; 1 of the leases are settled\n',
      });
    },
  );

  test('ends the wait of an interrupted get as if its time were up: it ends by the signal', async ({
    mq,
  }) => {
    let isAsked = false;
    server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        if (chunk.includes('HELLO')) socket.write(GREETING);
        isAsked ||= chunk.includes('GET');
      });
      socket.on('end', () => socket.end('_\r\n'));
    });
    await new Promise<void>((resolve) => server?.listen(mq.socket, resolve));
    const get = mq.start(['get', '-f', 'q']);
    await until(() => isAsked);
    get.child.kill('SIGTERM');
    expect(await get.done).toMatchObject({ signal: 'SIGTERM', err: '' });
  });
});
