import { spawnSync } from 'node:child_process';
import { describe, expect } from 'vitest';
import { type Mq, seq, test } from './mq.ts';

const linesOf = async (mq: Mq, ...args: string[]) => (await mq.run(args)).out.trimEnd().split('\n');
const cells = (line: string | undefined) => line?.trim().split(/ {2,}/);
const objects = async (mq: Mq, ...args: string[]) =>
  (await linesOf(mq, ...args)).map((line) => JSON.parse(line) as Record<string, unknown>);

/** A queue with a message in each state, and a dead letter elsewhere. */
async function someIn(mq: Mq): Promise<string> {
  await mq.run(['create', 'q', '--max-attempts', '2', '--retry-delay', '1h']);
  await mq.run(['put', 'q', 'failed', 'leased', 'waiting']);
  await mq.run(['put', '--delay', '2h', '--ttl', '1d', '--key', 'k', 'q', 'later']);
  const [first, second] = (await mq.run(['get', '-c', '2', '--lease', '10m', 'q'])).out.split('\n');
  await mq.run(['fail', 'q', first?.split('\t')[0] as string]);
  return second?.split('\t')[0] as string;
}

describe('mq ls QUEUE', () => {
  test('lists the messages by their ids, whatever their state', async ({ mq }) => {
    await someIn(mq);
    const lines = await linesOf(mq, 'ls', 'q');
    expect(lines.map(cells)).toEqual([
      ['ID', 'STATE', 'AGE', 'DUE', 'ATTEMPT', 'HOLDER', 'MESSAGE'],
      [
        '1',
        'delayed',
        expect.stringMatching(/^\d+s$/),
        expect.stringMatching(/^(59|6\d|7\d)m$/),
        '2',
        '-',
        'failed',
      ],
      ['2', 'leased', expect.any(String), expect.stringMatching(/^(9|10)m$/), '1', '-', 'leased'],
      ['3', 'waiting', expect.any(String), '-', '1', '-', 'waiting'],
      ['4', 'delayed', expect.any(String), expect.stringMatching(/^(119m|2h)$/), '1', '-', 'later'],
    ]);
    expect((await linesOf(mq, 'ls', '--state', 'delayed', '-c', '1', 'q')).slice(1).map(cells)).toEqual([
      expect.arrayContaining(['failed']),
    ]);
    expect(await linesOf(mq, 'ls', '--state', 'leased', 'q')).toHaveLength(2);
  });

  test('has all about a message in JSON', async ({ mq }) => {
    const lease = await someIn(mq);
    const [failed, leased, waiting, later] = await objects(mq, 'ls', '--json', 'q');
    const common = { queue: 'q', priority: 0, put_at: expect.any(String) };
    const due_at = expect.any(String);
    expect(failed).toEqual({
      ...common,
      id: 1,
      state: 'delayed',
      body: 'failed',
      attempt: 2,
      failures: 1,
      due_at,
    });
    const lease_until = expect.any(String);
    const state = { ...common, attempt: 1, failures: 0 };
    expect(leased).toEqual({ ...state, id: 2, state: 'leased', body: 'leased', lease, lease_until });
    expect(waiting).toEqual({ ...state, id: 3, state: 'waiting', body: 'waiting' });
    const expires_at = expect.any(String);
    expect(later).toEqual({ ...state, id: 4, state: 'delayed', body: 'later', due_at, expires_at, key: 'k' });
  });

  test('names the process that has a message, and the origin of a dead letter', async ({ mq }) => {
    await mq.run(['create', 'q', '--max-attempts', '1']);
    await mq.run(['put', 'q', 'bad', 'busy']);
    await mq.run(['work', '-q', '--drain', 'q', '--', 'sh', '-c', 'read -r x; [ $x = busy ]']);
    const [letter] = await objects(mq, 'ls', '--json', 'q.dead');
    expect(letter).toMatchObject({ id: 3, attempt: 1, origin: { queue: 'q', id: 1 } });
    await mq.run(['put', 'q', 'busy']);
    const script = 'mq ls --json q; mq ls q | tail -1';
    const { out } = await mq.run(['work', '--drain', 'q', '--', 'sh', '-c', script], undefined, {
      env: { ...mq.env, PATH: `${process.cwd()}/bin:${process.env['PATH']}` },
    });
    const [line, row] = out.split('\n') as [string, string];
    const { holder } = JSON.parse(line) as { holder: Record<string, unknown> };
    expect(holder).toEqual({
      host: expect.any(String),
      pid: expect.any(Number),
      command: expect.stringContaining('work'),
    });
    expect(cells(row)?.[5]).toBe(String(holder['pid']));
  });

  test('shows as much of a message as there is room for, and makes control characters visible', async ({
    mq,
  }) => {
    await mq.run(['put', '-w', 'q'], 'a\n\tb\x1b[31m\u202e\0');
    await mq.run(['put', 'q', '界'.repeat(60), 'x'.repeat(3000)]);
    await mq.run(['put', '-w', 'q'], 'y'.repeat(3_000_000));
    const [, first, ...others] = await linesOf(mq, 'ls', 'q');
    expect(cells(first)?.at(-1)).toBe('a\\n\\tb\\x1b[31m\\u202e\\x00');
    expect(others.map((line) => cells(line)?.at(-1))).toEqual([
      '界'.repeat(60),
      `${'x'.repeat(1000)}...`,
      `${'y'.repeat(1000)}...`,
    ]);
    const { stdout } = spawnSync(
      'script',
      ['-qec', `stty cols 80; ${process.cwd()}/bin/mq ls q`, '/dev/null'],
      {
        env: mq.env,
        encoding: 'utf8',
      },
    );
    const lines = stdout.trimEnd().split('\r\n');
    expect(lines.slice(2).map((line) => line.replaceAll('界', '##').length)).toEqual([79, 80, 80]);
    expect(lines.every((line) => line.length <= 80)).toBe(true);
  });

  test('lists many page by page', async ({ mq }) => {
    await mq.run(['put', 'q'], seq(3000));
    const lines = await linesOf(mq, 'ls', 'q');
    expect(lines.slice(1).map((line) => cells(line)?.[0])).toEqual(seq(3000).trimEnd().split('\n'));
    expect(await linesOf(mq, 'ls', '-c', '1200', 'q')).toHaveLength(1201);
    expect((await mq.sh('mq ls q | head -2 | wc -l; echo "$?"')).out).toBe('2\n0\n');
  });

  test('says what is wrong', async ({ mq }) => {
    expect(await mq.run(['ls', 'nowhere'])).toMatchObject({ status: 5, out: '' });
    expect((await mq.run(['ls', '--state', 'gone', 'q'])).status).toBe(2);
    expect((await mq.run(['ls', '--state', 'all'])).status).toBe(2);
    expect((await mq.run(['ls', '-c', '1'])).status).toBe(2);
    await mq.run(['create', 'empty']);
    expect(await linesOf(mq, 'ls', 'empty')).toHaveLength(1);
    expect(await mq.run(['ls', '--json', 'empty'])).toMatchObject({ status: 0, out: '' });
  });
});

describe('mq peek', () => {
  test('--id prints a message in whatever state', async ({ mq }) => {
    await someIn(mq);
    for (const [id, body] of [
      [1, 'failed'],
      [2, 'leased'],
      [3, 'waiting'],
      [4, 'later'],
    ] as const)
      expect(await mq.run(['peek', '--id', `${id}`, 'q'])).toMatchObject({ status: 0, out: `${body}\n` });
    expect(await objects(mq, 'peek', '--id', '4', '--json', 'q')).toMatchObject([{ id: 4, key: 'k' }]);
    await mq.run(['put', '-w', 'other'], 'y'.repeat(3_000_000));
    expect((await mq.run(['peek', '-w', '--id', '5', 'other'])).stdout.length).toBe(3_000_000);
    for (const [id, queue] of [
      ['5', 'q'],
      ['99', 'q'],
      ['1', 'nowhere'],
    ] as const)
      expect(await mq.run(['peek', '--id', id, queue])).toMatchObject({ status: 5, out: '' });
    expect((await mq.run(['peek', '--id', 'x', 'q'])).status).toBe(2);
    expect((await mq.run(['peek', '--id', '1', '-c', '2', 'q'])).status).toBe(2);
  });

  test('--state prints messages in that state', async ({ mq }) => {
    await someIn(mq);
    expect((await mq.run(['peek', '--state', 'delayed', '-c', '9', 'q'])).out).toBe('failed\nlater\n');
    expect((await mq.run(['peek', '--state', 'leased', 'q'])).out).toBe('leased\n');
    expect((await mq.run(['peek', '--state', 'all', '-c', '2', 'q'])).out).toBe('failed\nleased\n');
    await mq.run(['purge', 'q']);
    expect(await mq.run(['peek', '--state', 'waiting', 'q'])).toMatchObject({ status: 3, out: '' });
  });

  test('--json has the id and the state, in the order of taking', async ({ mq }) => {
    await mq.run(['create', 'q', '--kind', 'lifo']);
    await mq.run(['put', 'q', 'a', 'b', 'c']);
    expect(await objects(mq, 'peek', '--json', '-c', '2', 'q')).toMatchObject([
      { id: 3, state: 'waiting', body: 'c' },
      { id: 2, state: 'waiting', body: 'b' },
    ]);
    expect((await mq.run(['peek', '--json', 'nowhere'])).status).toBe(5);
  });
});
