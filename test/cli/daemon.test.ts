import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { PROTOCOL } from '../../src/version.ts';
import { BIN, isAlive, type Mq, processesOf, test, until } from './mq.ts';

describe('the daemon', () => {
  test('twenty first commands at once start one daemon, and all succeed', async ({ mq }) => {
    const results = await Promise.all(Array.from({ length: 20 }, (_, i) => mq.run(['put', 'q', String(i)])));
    expect(results.map(({ status, err }) => ({ status, err }))).toEqual(
      results.map(() => ({ status: 0, err: '' })),
    );
    expect(await mq.size('q')).toBe(20);
    expect(mq.log.match(/serves/g)?.length).toBe(1);
    expect(processesOf(mq.home)).toEqual([mq.daemonPid()]);
  });

  test('state folder 0700, socket, store and log 0600', async ({ mq }) => {
    rmSync(mq.home, { recursive: true });
    await mq.run(['put', 'q', 'a']);
    expect(statSync(mq.home).mode & 0o777).toBe(0o700);
    for (const path of [mq.socket, mq.store, join(mq.home, 'mq.log')])
      expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test('a daemon that a command started has let go of everything', async ({ mq }) => {
    const out = await mq.sh('exec 9>$MQ_HOME/lock; mq put q a; echo done');
    // Its standard streams are not ours, or `sh` would still wait for them.
    expect(out.out).toBe('done\n');
    const pid = mq.daemonPid() as number;
    const { out: fds } = await mq.sh(`readlink /proc/${pid}/cwd /proc/${pid}/fd/*`);
    expect(fds).toMatch(/^\/\n\/dev\/null\n/);
    expect(fds).not.toContain('/lock');
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    // Session leader: its own session.
    expect(Number(stat[3])).toBe(pid);
  });

  test('a cron-like environment reaches the same daemon as a login shell', async ({ mq }) => {
    const home = mkdtempSync(join(tmpdir(), 'mq-home-'));
    const login = {
      ...process.env,
      HOME: home,
      XDG_STATE_HOME: '/nowhere',
      TMPDIR: '/nowhere',
      MQ_HOME: undefined,
    };
    await mq.run(['put', 'q', 'from cron'], undefined, { env: { HOME: home, PATH: '/usr/bin:/bin' } });
    expect((await mq.run(['get', '-n', 'q'], undefined, { env: login })).out).toBe('from cron\n');
    expect(existsSync(join(home, '.local/state/mq/mq.sock'))).toBe(true);
    await mq.run(['stop'], undefined, { env: login });
    rmSync(home, { recursive: true });
  });

  test('mq start starts it where none answers, and says nothing', async ({ mq }) => {
    const silent = { status: 0, out: '', err: '' };
    expect(await mq.run(['status'])).toMatchObject({ status: 69, err: expect.stringContaining('mq start') });
    expect(await mq.run(['start'])).toMatchObject(silent);
    const pid = mq.daemonPid();
    expect(await mq.run(['start'])).toMatchObject(silent);
    expect([pid, processesOf(mq.home)]).toEqual([expect.any(Number), [pid]]);
  });

  test('mq start that may not start it ends with 69', async ({ mq }) => {
    for (const [args, env] of [[['--no-start'], {}] as const, [[], { MQ_NO_START: '1' }] as const]) {
      const { status, err } = await mq.run(['start', ...args], undefined, { env: { ...mq.env, ...env } });
      expect({ status, says: err.includes('MQ_NO_START') }).toEqual({ status: 69, says: true });
    }
    expect(processesOf(mq.home)).toEqual([]);
    expect((await mq.run(['--no-start', 'start'])).status).toBe(69);
  });

  test('a stale socket file and a reused pid are no daemon', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    await mq.killDaemon();
    expect(existsSync(mq.socket)).toBe(true);
    writeFileSync(join(mq.home, 'daemon.json'), JSON.stringify({ pid: process.pid, socket: mq.socket }));
    writeFileSync(join(mq.home, 'launch.lock'), '999999999');
    expect((await mq.run(['get', '-n', 'q'])).out).toBe('a\n');
  });

  test('a removed socket file is made again by the daemon', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    const pid = mq.daemonPid();
    rmSync(mq.socket);
    await until(() => existsSync(mq.socket));
    expect((await mq.run(['get', '-n', 'q'])).out).toBe('a\n');
    rmSync(mq.socket);
    // Without waiting: the command finds its way.
    expect((await mq.run(['put', 'q', 'b'])).status).toBe(0);
    expect(mq.daemonPid()).toBe(pid);
  });

  test('a daemon whose state folder was removed ends, and the next one begins anew', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    const pid = mq.daemonPid() as number;
    rmSync(mq.home, { recursive: true });
    expect(await mq.run(['put', 'q', 'b'])).toMatchObject({ status: 0, err: '' });
    await until(() => !isAlive(pid));
    expect((await mq.run(['get', '-a', 'q'])).out).toBe('b\n');
  });

  test('nothing is stored in a store file that was removed: a daemon with a new one takes it', async ({
    mq,
  }) => {
    await mq.run(['put', 'q', 'a']);
    const pid = mq.daemonPid() as number;
    rmSync(mq.store);
    expect(await mq.run(['put', 'q', 'b'])).toMatchObject({ status: 0, err: '' });
    await until(() => !isAlive(pid));
    expect((await mq.run(['get', '-a', 'q'])).out).toBe('b\n');
  });

  test('a second daemon on the same state folder is refused (75), and names the first', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    const other = join(mq.home, 'other.sock');
    const result = await mq.run(['serve'], undefined, { env: { ...mq.env, MQ_SOCKET: other } });
    expect(result.status).toBe(75);
    expect(result.err).toContain(`pid ${mq.daemonPid()}, socket ${mq.socket}`);
    expect((await mq.run(['serve'])).status).toBe(75);
    expect((await mq.run(['get', '-n', 'q'])).out).toBe('a\n');
  });

  test('a socket that another daemon listens on is not taken from it', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    const home = mkdtempSync(join(tmpdir(), 'mq-other-'));
    const result = await mq.run(['serve'], undefined, {
      env: { ...mq.env, MQ_HOME: home, MQ_SOCKET: mq.socket },
    });
    expect(result).toMatchObject({ status: 75 });
    expect((await mq.run(['get', '-n', 'q'])).out).toBe('a\n');
    rmSync(home, { recursive: true });
  });

  test.for(['SIGTERM', 'SIGINT'] as const)('%s ends mq serve cleanly', async (signal, { mq }) => {
    const daemon = mq.start(['serve']);
    await until(async () => (await mq.run(['status'])).status === 0);
    await mq.run(['put', 'q', 'a']);
    daemon.child.kill(signal);
    expect((await daemon.done).signal).toBe(signal);
    expect(existsSync(mq.socket)).toBe(false);
    expect(existsSync(`${mq.store}-wal`)).toBe(false);
    expect((await mq.run(['get', '-n', 'q'])).out).toBe('a\n');
  });

  test('an idle daemon ends, but not while somebody waits', async ({ mq }) => {
    const daemon = mq.start(['serve', '--idle-exit', '0.3']);
    await until(() => existsSync(mq.socket));
    const get = mq.start(['get', '-t', '1', 'q']);
    expect((await get.done).status).toBe(3);
    expect((await daemon.done).status).toBe(0);
  });

  test('--no-start and MQ_NO_START start none (69)', async ({ mq }) => {
    expect((await mq.run(['--no-start', 'put', 'q', 'a'])).status).toBe(69);
    expect((await mq.run(['put', 'q', 'a', '--no-start'])).status).toBe(69);
    expect((await mq.run(['ls'], undefined, { env: { ...mq.env, MQ_NO_START: '1' } })).status).toBe(69);
    expect((await mq.run(['status'])).status).toBe(69);
    expect((await mq.run(['stop'])).status).toBe(0);
    expect(existsSync(mq.socket)).toBe(false);
  });

  test('status says what runs', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    const status = JSON.parse((await mq.run(['status', '--json'])).out);
    expect(status).toMatchObject({
      protocol: PROTOCOL,
      pid: mq.daemonPid(),
      socket: mq.socket,
      store: mq.store,
      queues: 1,
      connections: 1,
    });
    expect(status.memory).toBeGreaterThan(1e6);
    expect(Math.abs(Date.parse(status.started_at) - Date.now())).toBeLessThan(60_000);
    expect((await mq.run(['status'])).out).toContain(mq.socket);
  });

  test('a state folder that others can enter is refused (77), and not repaired', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    chmodSync(mq.home, 0o750);
    const result = await mq.run(['get', '-n', 'q']);
    expect(result.status).toBe(77);
    expect(result.err).toContain('chmod 700');
    expect((await mq.run(['serve'])).status).toBe(77);
    expect(statSync(mq.home).mode & 0o777).toBe(0o750);
    chmodSync(mq.home, 0o700);
    expect((await mq.run(['get', '-n', 'q'])).out).toBe('a\n');
  });

  test('a state folder or socket of another user is refused (77)', async ({ mq, skip }) => {
    if (process.getuid?.() !== 0) skip('only root can give a folder away');
    await mq.run(['put', 'q', 'a']);
    await mq.sh(`chown 12345 ${mq.socket}`);
    expect((await mq.run(['get', '-n', 'q'])).status).toBe(77);
    await mq.sh(`chown 0 ${mq.socket}; chown 12345 ${mq.home}`);
    expect((await mq.run(['get', '-n', 'q'])).status).toBe(77);
    await mq.sh(`chown 0 ${mq.home}`);
    expect((await mq.run(['get', '-n', 'q'])).out).toBe('a\n');
  });

  test('a state folder may be a link', async ({ mq }) => {
    const real = join(mq.home, 'real');
    mkdirSync(real, { mode: 0o700 });
    await mq.sh(`ln -s real ${mq.home}/link`);
    const env = { ...mq.env, MQ_HOME: join(mq.home, 'link') };
    expect((await mq.run(['put', 'q', 'a'], undefined, { env })).status).toBe(0);
    expect(existsSync(join(real, 'mq.db'))).toBe(true);
    await mq.run(['stop'], undefined, { env });
  });

  test('a path too long for a socket gets a short one in /tmp', async ({ mq }) => {
    const env = { ...mq.env, MQ_HOME: join(mq.home, 'long'.repeat(30)) };
    expect((await mq.run(['put', 'q', 'a'], undefined, { env })).status).toBe(0);
    const { socket } = JSON.parse((await mq.run(['status', '--json'], undefined, { env })).out);
    expect(socket).toMatch(new RegExp(`^/tmp/mq-${process.getuid?.()}/[0-9a-f]{16}\\.sock$`));
    expect(lstatSync(`/tmp/mq-${process.getuid?.()}`).mode & 0o777).toBe(0o700);
    await mq.run(['stop'], undefined, { env });
    expect(existsSync(socket)).toBe(false);
  });

  test('MQ_SOCKET names the socket', async ({ mq }) => {
    const socket = join(mq.home, 'elsewhere');
    const env = { ...mq.env, MQ_SOCKET: socket };
    await mq.run(['put', 'q', 'a'], undefined, { env });
    expect(lstatSync(socket).isSocket()).toBe(true);
    expect((await mq.run(['stop'], undefined, { env })).status).toBe(0);
  });

  test('a newer client replaces an older daemon, and who waits goes on', async ({ mq }) => {
    await mq.run(['create', 'q']);
    const get = mq.start(['get', 'q']);
    await mq.untilConsumers('q', 1);
    const old = mq.daemonPid() as number;
    expect(await talk(mq, 'HELLO 3 MQ 1 99.0.0 REPLACE')).toMatch(/^-OUTDATED /);
    await until(() => !isAlive(old));
    await mq.untilConsumers('q', 1);
    await mq.run(['put', 'q', 'hello']);
    expect((await get.done).out).toBe('hello\n');
  });

  test('an older client works with a newer daemon, unless the protocol is another (76)', async ({ mq }) => {
    await mq.run(['create', 'q']);
    expect(await talk(mq, 'HELLO 3 MQ 2 0.0.1 REPLACE')).toContain('version');
    expect(await talk(mq, 'HELLO 3 MQ 0 0.0.1 REPLACE')).toMatch(
      new RegExp(`^-PROTOCOL .*protocol ${PROTOCOL}`),
    );
  });

  test.for([[['get', 'q']], [['put', 'q', 'a']], [['ls']]] as const)(
    'a daemon that keeps dying is given up on (69): mq %j',
    async ([args], { mq }) => {
      const server = createServer((socket) => socket.destroy());
      await new Promise<void>((resolve) => server.listen(mq.socket, resolve));
      expect(await mq.run([...args])).toMatchObject({
        status: 69,
        err: expect.stringContaining('keeps dying'),
      });
      await new Promise((resolve) => server.close(resolve));
    },
  );

  test('mq runs through a link, from any folder', async ({ mq }) => {
    await mq.sh(`ln -s ${BIN} ${mq.home}/mq-link`);
    const { status, out } = await mq.sh(`cd / && ${mq.home}/mq-link put q a && ${mq.home}/mq-link get q`);
    expect({ status, out }).toEqual({ status: 0, out: 'a\n' });
  });
});

/** Sends one request, its words between spaces; the answer until the daemon closes or is silent. */
function talk(mq: Mq, request: string): Promise<string> {
  const words = request.split(' ');
  return new Promise((resolve, reject) => {
    const socket = connect(mq.socket);
    let answer = '';
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('close', () => resolve(answer));
    socket.end(`*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`);
  });
}
