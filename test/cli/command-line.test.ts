import { describe, expect } from 'vitest';
import { COMMANDS, COMMON } from '../../src/cli/catalog.ts';
import { test } from './mq.ts';

describe('the command line', () => {
  test('a flag between operands takes none of them', async ({ mq }) => {
    await mq.run(['create', 'q', '--kind', 'priority']);
    expect(await mq.run(['put', 'q', '-p', '-5', '-q', 'true'])).toMatchObject({ status: 0, err: '' });
    expect(await mq.run(['put', 'q', '-qp-6', '--', '--quiet=x', '-n'])).toMatchObject({
      status: 0,
      err: '',
    });
    expect((await mq.run(['get', '-a', 'q'])).out).toBe('--quiet=x\n-n\ntrue\n');
  });

  test('wrong usage neither stores nor takes anything, nor starts a daemon', async ({ mq }) => {
    for (const option of [
      '-n=false',
      '-n=0',
      '-q=5',
      '--quiet=x',
      '-_',
      '--_',
      '-_-',
      '--$0=x',
      '-nx',
      '--i=k',
    ]) {
      expect([option, (await mq.run(['put', 'q', 'a', option])).status]).toEqual([option, 2]);
      expect([option, (await mq.run(['get', option, 'q'])).status]).toEqual([option, 2]);
    }
    expect((await mq.run(['status'])).status).toBe(69);
  });

  test('options before the command mean what they mean behind it', async ({ mq }) => {
    expect(await mq.run(['-q', 'get', '-n', 'q'])).toMatchObject({ status: 3, err: '' });
    expect(await mq.run(['--no-start', '-q', 'get', '-n', 'q'])).toMatchObject({ status: 3, err: '' });
    await mq.run(['stop']);
    expect((await mq.run(['-q', '--no-start', 'get', '-n', 'q'])).status).toBe(69);
    const { out } = await mq.run(['get', '--help']);
    for (const args of [
      ['-h', 'get'],
      ['-q', '--help', 'get'],
      ['help', 'get'],
      ['help', '-q', 'get'],
    ])
      expect(await mq.run(args)).toMatchObject({ status: 0, out, err: '' });
    expect(await mq.run(['-q', '--version'])).toMatchObject({ status: 0, err: '' });
  });

  test('put --id is --key, and says so', async ({ mq }) => {
    expect(await mq.run(['put', 'q', 'a', '--key', 'k'])).toMatchObject({ status: 0, err: '' });
    expect(await mq.run(['put', 'q', '--id', 'k', 'b'])).toMatchObject({
      status: 0,
      err: 'mq: put q: --id is called --key now\n',
    });
    expect(await mq.run(['put', '-q', 'q', '--id=k', 'b'])).toMatchObject({ status: 0, err: '' });
    expect((await mq.run(['get', '-a', 'q'])).out).toBe('a\n');
    expect((await mq.run(['put', '--help'])).out).not.toMatch(/^ +--id /m);
  });

  test('a queue that get names twice counts once', async ({ mq }) => {
    await mq.run(['put', 'q', 'a', 'b', 'c', 'd']);
    expect(await mq.run(['get', 'q', 'q'])).toMatchObject({ status: 0, out: 'a\n' });
    expect(await mq.run(['get', '--lease', '1h', 'q', 'q'])).toMatchObject({ status: 0 });
    expect(await mq.run(['get', '-a', 'q', 'r', 'q'])).toMatchObject({ status: 0, out: 'c\nd\n' });
    expect(await mq.run(['get', '-n', 'q', 'q'])).toMatchObject({ status: 3, out: '' });
  });

  test('garbage is wrong usage, or finds no daemon: never an error of mq itself', async ({ mq }) => {
    const words = [...COMMANDS.flatMap(({ options }) => options), ...COMMON]
      .flatMap(({ name, short = '_' }) => [`--${name}`, `-${short}`, `-${short}n=`, `--${name}=\n`])
      .concat(
        'q',
        '--',
        '-',
        '',
        '-5',
        '\u001b[31m',
        '--__proto__',
        '\ufffd',
        '9'.repeat(500),
        '--$0=x',
        '{}',
      );
    const pick = (from: readonly string[]) => from[Math.floor(Math.random() * from.length)] as string;
    const names = COMMANDS.map(({ name }) => name).filter((name) => name !== 'serve');
    const env = { ...mq.env, MQ_NO_START: '1' };
    for (let i = 0; i < 40; i++) {
      const args = Array.from({ length: 1 + (i % 5) }, () => pick(words));
      if (i % 10 > 0) args.unshift(pick(names));
      const { status, err } = await mq.run(args, '', { env });
      expect([0, 2, 69], JSON.stringify(args)).toContain(status);
      expect(err, JSON.stringify(args)).not.toMatch(/^ +at |\u001b/m);
      if (status === 2) expect(err, JSON.stringify(args)).toMatch(/^mq: [^\n]+\n([^\n]+\n)?$/);
    }
  });
});
