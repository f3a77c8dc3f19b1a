import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { test as base, type Mq, until } from './mq.ts';

/** A file system of its own; mounts need root. */
interface Disk {
  path: string;
  env: NodeJS.ProcessEnv;
  mount: (options: string) => Promise<void>;
  unmount: () => Promise<void>;
}

const test = base.extend<{ disk: Disk }>({
  disk: async ({ mq, skip }, use) => {
    if (process.getuid?.() !== 0) skip('only root can mount');
    const path = join(mq.home, 'disk');
    mkdirSync(path, { mode: 0o700 });
    const unmount = async () => {
      await mq.sh(`until umount ${path} 2>/dev/null; do mountpoint -q ${path} || break; done`);
    };
    const mount = async (options: string) => {
      const { status } = await mq.sh(`mount -t tmpfs -o mode=700,${options} tmpfs ${path}`);
      if (status !== 0) skip('this kernel does not let us mount');
    };
    const env = { ...mq.env, MQ_HOME: path };
    await use({ path, env, mount, unmount });
    await mq.run(['stop'], undefined, { env });
    await unmount();
  },
});

/** One line, and perhaps one that says what to do. */
const ONE_LINE = /^mq: [^\n]*\n([A-Z][^\n]*\n)?$/;

async function fill(mq: Mq, { path }: Disk): Promise<void> {
  await mq.sh(`head -c 100000000 /dev/zero >${path}/filler`);
}

describe('a full disk', () => {
  // Each file takes one: first there is none for the lock, then none for the log, the ledger, the store, the socket.
  test.for([1, 2, 3, 4, 5, 6, 7])('room for %i files: 75, or it goes', async (count, { mq, disk }) => {
    await disk.mount(`nr_inodes=${count}`);
    const { status, err } = await mq.run(['put', 'q', 'a'], undefined, { env: disk.env });
    if (status === 0) expect(count).toBeGreaterThan(4);
    else expect({ status, err }).toEqual({ status: 75, err: expect.stringMatching(ONE_LINE) });
    expect(err).not.toMatch(/E[A-Z]{4,}/);
  });

  test('no room for the state folder: 75', async ({ mq, disk }) => {
    await disk.mount('nr_inodes=1');
    const env = { ...disk.env, MQ_HOME: join(disk.path, 'home') };
    const { status, err } = await mq.run(['put', 'q', 'a'], undefined, { env });
    expect({ status, err }).toEqual({
      status: 75,
      err: expect.stringMatching(/cannot be made: no space left/),
    });
  });

  test('mq stop stops in order', async ({ mq, disk }) => {
    await disk.mount('size=2m');
    const { env } = disk;
    const serve = mq.start(['serve'], { env });
    await until(() => existsSync(join(disk.path, 'daemon.json')));
    await mq.run(['put', 'q', 'a', 'b'], undefined, { env });
    await fill(mq, disk);
    expect((await mq.run(['put', '-w', 'q'], 'x'.repeat(200_000), { env })).status).toBe(75);
    expect(await mq.run(['stop'], undefined, { env })).toMatchObject({ status: 0, err: '' });
    expect(await serve.done).toMatchObject({ status: 0, err: expect.not.stringContaining('internal') });
    rmSync(join(disk.path, 'filler'));
    expect((await mq.run(['get', '-c', '2', 'q'], undefined, { env })).out).toBe('a\nb\n');
  });
});

describe('a file system that is read-only', () => {
  test('itself: 75', async ({ mq, disk }) => {
    await disk.mount('size=10m');
    const { env } = disk;
    expect((await mq.sh('mq put q a && mq stop', { env })).status).toBe(0);
    await mq.sh(`until mount -o remount,ro ${disk.path} 2>/dev/null; do :; done`);
    for (const args of [['put', 'q', 'a'], ['get', '-n', 'q'], ['ls'], ['serve']]) {
      const { status, err } = await mq.run(args, undefined, { env });
      expect({ status, err }).toEqual({ status: 75, err: expect.stringMatching(ONE_LINE) });
      expect(err).toContain('read-only file system');
    }
  });

  test('because somebody mounted it so: 77', async ({ mq, disk }) => {
    const { env, path } = disk;
    expect((await mq.sh('mq put q a && mq stop', { env })).status).toBe(0);
    const { status: mounted } = await mq.sh(
      `mount --bind ${path} ${path} && mount -o remount,ro,bind ${path}`,
    );
    expect(mounted).toBe(0);
    for (const args of [['put', 'q', 'a'], ['get', '-n', 'q'], ['ls'], ['serve']]) {
      const { status, err } = await mq.run(args, undefined, { env });
      expect({ status, err }).toEqual({ status: 77, err: expect.stringMatching(ONE_LINE) });
      expect(err).toContain('read-only file system');
    }
    await disk.unmount();
    expect((await mq.run(['get', '-n', 'q'], undefined, { env })).out).toBe('a\n');
  });

  test('from now on: the daemon stops in order', async ({ mq, disk }) => {
    const { env, path } = disk;
    await mq.sh(`mount --bind ${path} ${path}`);
    const serve = mq.start(['serve'], { env });
    await until(() => existsSync(join(path, 'daemon.json')));
    await mq.run(['put', 'q', 'a'], undefined, { env });
    await mq.sh(`umount -l ${path}; mount --bind ${path} ${path}; mount -o remount,ro,bind ${path}`);
    expect((await mq.run(['stop'], undefined, { env })).status).toBe(0);
    expect(await serve.done).toMatchObject({ status: 0, err: expect.not.stringContaining('internal') });
  });
});

describe('mq serve', () => {
  test('ends with 75 when it gives up', async ({ mq }) => {
    const serve = mq.start(['serve']);
    await until(async () => (await mq.run(['status'])).status === 0);
    await mq.run(['put', 'q', 'a']);
    rmSync(mq.store);
    expect((await mq.run(['put', 'q', 'b'])).status).toBe(0);
    const { status, err } = await serve.done;
    expect(status).toBe(75);
    expect(err).toMatch(/^mq: serve: .*mq\.db/m);
  });
});

describe('work on a full or lacking TMPDIR', () => {
  test('names the folder: 75', async ({ mq }) => {
    const env = { ...mq.env, TMPDIR: '/nonexistent' };
    await mq.run(['put', '-w', 'q'], 'x'.repeat(200_000));
    const { status, err } = await mq.run(['work', 'q', '--drain', '--', 'cat'], undefined, { env });
    expect({ status, err }).toEqual({
      status: 75,
      err: 'mq: work q: a temporary file in /nonexistent cannot be written: no such file or directory\n',
    });
  });
});

test('standard streams that cannot be used are said to be so in words', async ({ mq }) => {
  await mq.run(['put', 'q', 'a']);
  expect((await mq.sh('mq get q >/dev/full')).err).toMatch(/cannot be written: no space left on device\n$/);
  expect((await mq.sh('mq get q >&-')).err).toMatch(/standard output is closed\n$/);
  expect((await mq.sh('mq put q </')).err).toMatch(/cannot be read: illegal operation on a directory;/);
  expect((await mq.run(['get', 'q'])).out).toBe('a\n');
});
