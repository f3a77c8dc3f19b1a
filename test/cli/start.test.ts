import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { isAlive, processesOf, test, until } from './mq.ts';

describe('a daemon that a command started holds nothing of it', () => {
  test.for([3, 9, 16, 17, 20, 33, 200])('a lock on descriptor %i', async (fd, { mq }) => {
    const { out } = await mq.sh(
      `lock=$MQ_HOME/lock; (flock -n ${fd} && mq put q a) ${fd}>$lock; flock -n $lock echo free`,
    );
    expect(out).toBe('free\n');
  });

  test('a reader of a pipe comes to its end', async ({ mq }) => {
    const { out } = await mq.sh('{ mq put q a; } 200>&1 21>&1 | cat; echo end');
    expect(out).toBe('end\n');
  });

  test('mq serve in the foreground keeps what it was given', async ({ mq }) => {
    const serve = mq.startSh('exec mq serve 200>$MQ_HOME/lock');
    await until(async () => (await mq.run(['status'])).status === 0);
    expect((await mq.sh(`readlink /proc/${serve.child.pid}/fd/200`)).out).toBe(`${mq.home}/lock\n`);
  });
});

describe('the lock of who starts a daemon', () => {
  test.for([
    [-3600, 'from the future, of a process that lives'],
    [3600, 'that is old, of a process that lives'],
  ] as const)('%i: one %s', async ([age], { mq }) => {
    const path = join(mq.home, 'launch.lock');
    writeFileSync(path, String(process.pid));
    utimesSync(path, Date.now() / 1000 - age, Date.now() / 1000 - age);
    // One that waited for it would give up.
    expect(await mq.run(['put', 'q', 'a'])).toMatchObject({ status: 0, err: '' });
    expect(existsSync(path)).toBe(false);
  });

  test('twenty commands that find a stale one start one daemon', async ({ mq }) => {
    writeFileSync(join(mq.home, 'launch.lock'), 'x');
    utimesSync(join(mq.home, 'launch.lock'), 1, 1);
    const results = await Promise.all(Array.from({ length: 20 }, (_, i) => mq.run(['put', 'q', String(i)])));
    expect(results.map(({ status, err }) => [status, err])).toEqual(results.map(() => [0, '']));
    expect(mq.log.match(/serves/g)?.length).toBe(1);
  });

  test("a command that is killed while it starts one is in nobody's way", async ({ mq }) => {
    const put = mq.start(['put', 'q', 'a']);
    await until(() => existsSync(join(mq.home, 'launch.lock')));
    put.child.kill('SIGKILL');
    expect(await mq.run(['put', 'q', 'b'])).toMatchObject({ status: 0, err: '' });
    await until(() => processesOf(mq.home).length <= 1);
  });
});

describe('what is no file in the place of one of ours: one clear line, 77', () => {
  const KINDS = {
    folder: (path: string) => mkdirSync(path),
    link: (path: string) => symlinkSync('/nowhere/at/all', path),
    'link to a folder': (path: string) => symlinkSync('/', path),
  };

  test.for([
    ['launch.lock', 'folder'],
    ['launch.lock', 'link'],
    ['mq.held', 'folder'],
    ['mq.held', 'link to a folder'],
    ['mq.held', 'link'],
    ['mq.log', 'folder'],
    ['mq.log', 'link'],
    ['mq.sock', 'folder'],
  ] as const)('%s: a %s', async ([name, kind], { mq }) => {
    KINDS[kind](join(mq.home, name));
    for (const args of [['put', 'q', 'a'], ['get', '-n', 'q'], ['ls']]) {
      const { status, err } = await mq.run(args);
      expect(status).toBe(77);
      expect(err).toMatch(new RegExp(`^mq: .*${name}[^A-Z]*\n(Move it away.\n)?$`));
    }
    expect(lstatSync(join(mq.home, name)).isFile()).toBe(false);
  });

  test.for(['launch.lock', 'mq.held', 'mq.log', 'mq.sock'])('%s: a pipe, at once', async (name, { mq }) => {
    await mq.sh(`mkfifo $MQ_HOME/${name}`);
    // Opening the pipe would wait for ever; a command that waited until its time is up would say that.
    const { status, err } = await mq.run(['get', '-t', '60', 'q']);
    expect({ status, err }).toEqual({ status: 77, err: expect.stringContaining(join(mq.home, name)) });
  });

  test('daemon.json: a pipe is replaced, a folder is left', async ({ mq }) => {
    const owner = join(mq.home, 'daemon.json');
    await mq.sh('mkfifo $MQ_HOME/daemon.json');
    expect((await mq.run(['put', 'q', 'a'])).status).toBe(0);
    expect(JSON.parse(readFileSync(owner, 'utf8'))).toEqual({ pid: mq.daemonPid(), socket: mq.socket });
    await mq.run(['stop']);
    mkdirSync(owner);
    expect((await mq.run(['put', 'q', 'a'])).status).toBe(0);
    expect(mq.log).toContain('cannot write');
    expect((await mq.run(['stop'])).status).toBe(0);
    expect(lstatSync(owner).isDirectory()).toBe(true);
  });

  test('the log may be a device', async ({ mq }) => {
    symlinkSync('/dev/null', join(mq.home, 'mq.log'));
    expect(await mq.run(['put', 'q', 'a'])).toMatchObject({ status: 0, err: '' });
  });
});

test('an executable that is not there any more cannot start a daemon: 75, in words', async ({ mq }) => {
  await mq.run(['create', 'q']);
  const get = mq.startSh('cp node_modules/.bin/node $MQ_HOME/; exec $MQ_HOME/node dist/mq.cjs get q');
  await mq.untilConsumers('q', 1);
  rmSync(join(mq.home, 'node'));
  await mq.killDaemon();
  const { status, err } = await get.done;
  expect(status).toBe(75);
  expect(err).toMatch(/the daemon cannot be started: .*no such file or directory\n$/);
});

test('a daemon dies with its starter at no time', async ({ mq }) => {
  const put = mq.start(['put', 'q', 'a']);
  let daemon: number | undefined;
  await until(() => {
    daemon = processesOf(mq.home).find((pid) => commandOf(pid).includes('serve'));
    return daemon !== undefined;
  });
  put.child.kill('SIGKILL');
  await until(() => mq.daemonPid() === daemon);
  expect((await mq.run(['put', 'q', 'b'])).status).toBe(0);
  expect(isAlive(daemon as number)).toBe(true);
});

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
