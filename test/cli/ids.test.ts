import { describe, expect } from 'vitest';
import { Mq, seq, test, until } from './mq.ts';

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

describe('mq get --id', () => {
  test('gets that message, before others', async ({ mq }) => {
    await mq.run(['put', 'q', 'a', 'b', 'c']);
    expect(await mq.run(['get', '--id', '2', 'q'])).toMatchObject({ status: 0, out: 'b\n', err: '' });
    const { out } = await mq.run(['get', '--id', '3', '--json', 'q']);
    expect(JSON.parse(out)).toMatchObject({ queue: 'q', id: 3, body: 'c' });
    expect((await mq.run(['get', '-a', 'q'])).out).toBe('a\n');
  });

  test('takes it on lease', async ({ mq }) => {
    await mq.run(['put', 'q', 'a', 'b']);
    const { out } = await mq.run(['get', '--id', '2', '--lease', '1h', 'q']);
    expect(out).toMatch(/^2\.\w+\tb\n$/);
    expect((await mq.run(['done', 'q', out.split('\t')[0] as string])).status).toBe(0);
    expect(await mq.stat('q')).toMatchObject({ waiting: 1, leased: 0 });
  });

  test('from a paused queue too; 3 on lease where --max-leased is reached', async ({ mq }) => {
    await mq.run(['create', 'q', '--max-leased', '1']);
    await mq.run(['put', 'q', 'a', 'b', 'c']);
    await mq.run(['pause', 'q']);
    expect((await mq.run(['get', '--id', '2', '--lease', '1h', 'q'])).out).toMatch(/\tb\n$/);
    expect(await mq.run(['get', '--id', '1', '--lease', '1h', 'q'])).toMatchObject({ status: 3, out: '' });
    expect((await mq.run(['get', '--id', '2', '--lease', '1h', 'q'])).status).toBe(5);
    expect(await mq.run(['get', '--id', '1', 'q'])).toMatchObject({ status: 0, out: 'a\n' });
  });

  test('does not wait: 5 when it is not waiting, also where others wait', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    await mq.run(['get', 'q']);
    await mq.run(['put', 'other', 'x']);
    const get = mq.start(['get', '-c', '2', 'other']);
    await until(() => get.out() === 'x\n');
    for (const [id, queue] of [
      ['1', 'q'],
      ['2', 'q'],
      ['99', 'other'],
      ['1', 'nowhere'],
    ] as const) {
      const err = `mq: get ${queue}: no message ${id} is waiting in queue ${queue}\n`;
      expect(await mq.run(['get', '--id', id, queue])).toMatchObject({ status: 5, out: '', err });
    }
    await mq.run(['close', 'q']);
    expect((await mq.run(['get', '--id', '1', 'q'])).status).toBe(5);
  });

  test.each([
    [['get', '--id', '0', 'q']],
    [['get', '--id', 'x', 'q']],
    [['get', '--id', '1', '-c', '1', 'q']],
    [['get', '--id', '1', 'q', 'other']],
  ])('%j is wrong usage', async (args) => {
    const mq = new Mq();
    const { status, err } = await mq.run(args);
    await mq.end();
    expect({ status, lines: err.split('\n').length }).toEqual({ status: 2, lines: 2 });
  });
});

describe('the commands of mq work', () => {
  test('have the id, and the origin of a dead letter', async ({ mq }) => {
    await mq.run(['create', 'q', '--max-attempts', '1']);
    await mq.run(['put', 'q', 'a', 'b']);
    const env = { ...mq.env, MQ_ORIGIN: 'outer' };
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's
    const command = 'printf "%s %s %s\\n" "$MQ_ID" "${MQ_ORIGIN-none}" $(cat)';
    const work = (queue: string, last: string) =>
      mq.run(['work', '--drain', queue, '--', 'sh', '-c', `${command}; ${last}`], undefined, { env });
    expect((await work('q', 'exit 1')).out).toBe('1 none a\n2 none b\n');
    expect((await work('q.dead', 'exit 0')).out).toBe('3 q a\n4 q b\n');
  });
});
