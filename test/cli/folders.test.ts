import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { PATIENCE } from '../../src/client/connect.ts';
import { test } from './mq.ts';

/** Milliseconds. A command that tried again would do so for as long as it waits for a daemon. */
const SOON = PATIENCE;

/** The shell that bin/mq is run by complains of it, too. */
const WITHOUT_FOLDER = 'mkdir $MQ_HOME/gone; cd $MQ_HOME/gone; rmdir $MQ_HOME/gone';
const OF_SHELL = /^.*getcwd.*\n/gm;

describe('relative paths begin at the working folder, for the daemon too', () => {
  test.for(['HOME', 'MQ_HOME', 'MQ_SOCKET'])('%s', async (name, { mq }) => {
    const env = { ...mq.env, ...(name === 'HOME' && { MQ_HOME: undefined }), [name]: 'relative' };
    const { status, out } = await mq.sh(
      `cd ${mq.home}; mkdir -p -m 700 relative; [ ${name} = MQ_SOCKET ] && rmdir relative
      mq put q a && cd relative 2>/dev/null && find . -type s; [ ${name} = MQ_SOCKET ] || cd ..; mq get -n q && mq stop`,
      { env },
    );
    const socket = { HOME: './.local/state/mq/mq.sock\n', MQ_HOME: './mq.sock\n', MQ_SOCKET: '' }[name];
    expect({ status, out }).toEqual({ status: 0, out: `${socket}a\n` });
  });

  test.for(['HOME', 'MQ_HOME', 'MQ_SOCKET'])('%s, where that was removed: 2', async (name, { mq }) => {
    const env = { ...mq.env, ...(name === 'HOME' && { MQ_HOME: '' }), [name]: 'relative' };
    for (const command of ['put q a', 'get -n q', 'serve', 'stop', 'status']) {
      const { status, err } = await mq.sh(
        `${WITHOUT_FOLDER.replaceAll('$MQ_HOME', mq.home)}; mq ${command}`,
        { env },
      );
      expect(status).toBe(2);
      expect(err.replace(OF_SHELL, '')).toMatch(
        new RegExp(`^mq: .*${name} is relative.* there is no working folder any more\n(Go to .*\n)?$`),
      );
    }
  });

  test.for(['HOME', 'MQ_HOME', 'MQ_SOCKET'])(
    '%s that is not UTF-8: 2, since it could be another one’s',
    async (name, { mq }) => {
      const unset = name === 'HOME' ? 'unset MQ_HOME; ' : '';
      const { status, err } = await mq.sh(
        `${unset}export ${name}="$(printf '%s/x\\351' "$MQ_HOME")"; mq put q a`,
      );
      expect({ status, err }).toEqual({
        status: 2,
        err: `mq: put q: ${name} is not valid UTF-8\nSet it to a path in UTF-8.\n`,
      });
    },
  );

  test('nothing else needs a working folder', async ({ mq }) => {
    for (const command of [
      'put q a',
      'work q --drain -- cat',
      '--help',
      'put --help',
      'completion bash',
      'stop',
    ]) {
      const { status, err } = await mq.sh(`${WITHOUT_FOLDER}; mq ${command}`);
      expect({ command, status, err: err.replace(OF_SHELL, '') }).toEqual({ command, status: 0, err: '' });
    }
  });
});

describe('folders that cannot be made: one line, 77, at once', () => {
  test.for([
    ['in /proc', '/proc/x/y', 'cannot be made in /proc'],
    ['/proc as HOME', undefined, 'cannot be made in /proc'],
    ['in a file', '$HOME/file/x', 'not a directory'],
    ['a file', '$HOME/file', 'is not a folder'],
    ['with a name that is too long', `$HOME/${'x'.repeat(300)}`, 'name too long'],
    ['a link that leads to itself', '$HOME/loop', 'too many symbolic links'],
    ['a link that leads nowhere', '$HOME/nowhere', 'no such file or directory'],
  ] as const)('%s', async ([, path, why], { mq }) => {
    writeFileSync(join(mq.home, 'file'), '');
    await mq.sh('ln -s loop $MQ_HOME/loop; ln -s nothing $MQ_HOME/nowhere');
    const home = path?.replace('$HOME', mq.home);
    const env = { ...mq.env, MQ_HOME: home, ...(home === undefined && { HOME: '/proc' }) };
    for (const args of [['put', 'q', 'a'], ['ls'], ['serve']]) {
      const begun = performance.now();
      const { status, err } = await mq.run(args, undefined, { env });
      expect(performance.now() - begun).toBeLessThan(SOON);
      expect({ status, err }).toEqual({
        status: 77,
        err: expect.stringMatching(new RegExp(`^mq: .*${why}.*\n$`)),
      });
    }
  });
});

test('folders above the state folder are made with the rights that the umask leaves', async ({ mq }) => {
  const env = { ...mq.env, MQ_HOME: join(mq.home, 'a/b/c') };
  expect((await mq.sh('umask 027; mq put q a; mq stop', { env })).status).toBe(0);
  const modes = ['a', 'a/b', 'a/b/c'].map((path) => statSync(join(mq.home, path)).mode & 0o777);
  expect(modes).toEqual([0o750, 0o750, 0o700]);
});

describe('a socket', () => {
  test.for([
    ['whose folder is not there', '$HOME/none/sock', 'there is no such folder'],
    ['in a file', '$HOME/file/sock', 'not a directory'],
    ['in place of a folder', '$HOME/folder', 'is there already and is not a socket'],
    ['in /proc', '/proc/sock', ''],
  ])('%s: 77', async ([, path, why], { mq }) => {
    writeFileSync(join(mq.home, 'file'), '');
    mkdirSync(join(mq.home, 'folder'));
    const env = { ...mq.env, MQ_SOCKET: (path as string).replace('$HOME', mq.home) };
    const { status, err } = await mq.run(['put', 'q', 'a'], undefined, { env });
    expect({ status, err }).toEqual({
      status: 77,
      err: expect.stringMatching(new RegExp(`^mq: .*${why}.*\n$`)),
    });
  });

  test('whose path is too long gets a short one in /tmp', async ({ mq }) => {
    const env = { ...mq.env, MQ_SOCKET: join(mq.home, 'x'.repeat(100)) };
    expect((await mq.sh('mq put q a && mq get q && mq stop', { env })).out).toBe('a\n');
    expect(existsSync(env.MQ_SOCKET)).toBe(false);
  });
});

test('empty variables count as none', async ({ mq }) => {
  const { status, err } = await mq.run(['status'], undefined, { env: { ...mq.env, MQ_HOME: '', HOME: '' } });
  expect(status).toBe(69);
  expect(err).toContain(join(userInfo().homedir, '.local/state/mq/mq.sock'));
});
