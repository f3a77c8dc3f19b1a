import { describe, expect } from 'vitest';
import { seq, test, until } from './mq.ts';

describe('mq put --print-id', () => {
  test('prints the id of each message, a line each, as it is stored', async ({ mq }) => {
    expect(await mq.run(['put', '--print-id', 'q', 'a', 'b'])).toMatchObject({
      status: 0,
      out: '1\n2\n',
      err: '',
    });
    expect((await mq.run(['put', '--print-id', '-w', 'other'], 'c')).out).toBe('3\n');
    const put = mq.start(['put', '--print-id', 'q'], { open: true });
    put.child.stdin?.write('d\n');
    await until(() => put.out() === '4\n');
    put.child.stdin?.end('e\nf');
    expect(await put.done).toMatchObject({ status: 0, out: '4\n5\n6\n' });
  });

  test('prints many', async ({ mq }) => {
    const { status, out } = await mq.run(['put', '--print-id', 'q'], seq(100_000));
    expect(status).toBe(0);
    expect(out === seq(100_000)).toBe(true);
  });

  test('prints the id of the message that has the key', async ({ mq }) => {
    const put = ['put', '--print-id', '--key', 'k', 'q'];
    expect((await mq.run([...put, 'a'])).out).toBe('1\n');
    expect((await mq.run([...put, 'b'])).out).toBe('1\n');
  });

  test('prints the ids of what is stored, where it stops early', async ({ mq }) => {
    await mq.run(['create', 'q', '--maxsize', '2']);
    const full = { status: 3, out: '1\n2\n', err: expect.stringContaining('2 messages were stored') };
    expect(await mq.run(['put', '-n', '--print-id', 'q', 'a', 'b', 'c'])).toMatchObject(full);
    const put = mq.start(['put', '--print-id', 'q'], { input: 'c\nd\n' });
    await until(() => mq.size('q').then((size) => size === 2));
    await mq.run(['get', 'q']);
    await until(async () => (await mq.size('q')) === 2);
    put.child.kill('SIGTERM');
    expect(await put.done).toMatchObject({ signal: 'SIGTERM', out: '3\n' });
  });

  test('ends by SIGPIPE when its reader goes', async ({ mq }) => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is bash's
    const line = 'seq 100000 | mq put --print-id q | head -1; echo "${PIPESTATUS[1]}"';
    expect((await mq.sh(line)).out).toBe('1\n141\n');
  });
});
