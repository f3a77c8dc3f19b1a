import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect } from 'vitest';
import { seq, test } from './mq.ts';

describe('the rest of a queue', () => {
  test('create makes a queue; the same again changes nothing; another setting is refused', async ({ mq }) => {
    expect((await mq.run(['create', 'q', '--kind', 'lifo', '--maxsize', '5'])).status).toBe(0);
    expect((await mq.run(['create', 'q', '--kind', 'lifo', '--maxsize', '5'])).status).toBe(0);
    expect((await mq.run(['create', 'q'])).status).toBe(0);
    expect(await mq.run(['create', 'q', '--maxsize', '6'])).toMatchObject({
      status: 2,
      err: expect.stringMatching(/^mq: create q: queue q has --maxsize 5, not 6\n/),
    });
    expect(await mq.stat('q')).toMatchObject({ kind: 'lifo', maxsize: 5, waiting: 0, state: 'open' });
  });

  test('set changes settings, the kind only while the queue is empty', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    expect((await mq.run(['set', 'q', '--maxsize', '7'])).status).toBe(0);
    expect((await mq.run(['set', 'q', '--kind', 'priority'])).status).toBe(2);
    await mq.run(['purge', 'q']);
    expect((await mq.run(['set', 'q', '--kind', 'priority'])).status).toBe(0);
    expect(await mq.stat('q')).toMatchObject({ kind: 'priority', maxsize: 7 });
  });

  test('ls is a table, or JSON lines', async ({ mq }) => {
    expect((await mq.run(['ls'])).out).toBe(
      'NAME  KIND  WAITING  DELAYED  LEASED  LIMIT  CONSUMERS  STATE\n',
    );
    await mq.run(['put', 'b', '1', '2']);
    await mq.run(['create', 'a', '--maxsize', '9']);
    expect((await mq.run(['ls'])).out).toBe(
      [
        'NAME  KIND  WAITING  DELAYED  LEASED  LIMIT  CONSUMERS  STATE',
        'a     fifo        0        0       0      9          0  open',
        'b     fifo        2        0       0      -          0  open',
        '',
      ].join('\n'),
    );
    const lines = (await mq.run(['ls', '--json'])).out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(lines[1]).toMatchObject({
      kind: 'fifo',
      state: 'open',
      waiting: 2,
      leased: 0,
      maxsize: 0,
      consumers: 0,
      put: 2,
      got: 0,
    });
  });

  test('ls has all queues where there are more than the daemon is asked for at a time', async ({ mq }) => {
    await mq.run(['create', 'q']);
    const names = Array.from({ length: 1000 }, (_, i) => `q${String(i).padStart(3, '0')}`);
    const requests = names.map((name) => `*2\r\n$6\r\nCREATE\r\n$4\r\n${name}\r\n`);
    const socket = connect(mq.socket).resume();
    socket.end(requests.join(''));
    await once(socket, 'close');
    // The daemon's last answer has none: the 1000 fill those before.
    await mq.run(['rm', 'q']);
    const { out } = await mq.run(['ls', '--json']);
    expect(
      out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).name),
    ).toEqual(names);
  });

  test('size, empty and full answer', async ({ mq }) => {
    await mq.run(['create', 'q', '--maxsize', '1']);
    expect((await mq.run(['empty', 'q'])).status).toBe(0);
    expect((await mq.run(['full', 'q'])).status).toBe(1);
    await mq.run(['put', 'q', 'a']);
    expect((await mq.run(['size', 'q'])).out).toBe('1\n');
    expect(await mq.run(['empty', 'q'])).toMatchObject({ status: 1, out: '', err: '' });
    expect(await mq.run(['full', 'q'])).toMatchObject({ status: 0, out: '', err: '' });
  });

  test('peek prints what get would, and leaves it', async ({ mq }) => {
    await mq.run(['create', 'q']);
    expect((await mq.run(['peek', 'q'])).status).toBe(3);
    await mq.run(['put', 'q'], seq(5));
    expect((await mq.run(['peek', 'q'])).out).toBe('1\n');
    expect((await mq.run(['peek', '-c', '3', 'q'])).out).toBe('1\n2\n3\n');
    expect((await mq.run(['peek', '-c', '9', '-0', 'q'])).out).toBe('1\x002\x003\x004\x005\0');
    expect(JSON.parse((await mq.run(['peek', '--json', 'q'])).out)).toMatchObject({ queue: 'q', body: '1' });
    expect(await mq.size('q')).toBe(5);
  });

  test('purge drops what waits', async ({ mq }) => {
    await mq.run(['put', 'q'], seq(5));
    expect(await mq.run(['purge', 'q'])).toMatchObject({ status: 0, err: 'mq: purge q: 5 dropped\n' });
    expect((await mq.run(['purge', '-q', 'q'])).err).toBe('');
    expect(await mq.size('q')).toBe(0);
  });

  test('rm removes an empty queue, and others with --force', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    expect(await mq.run(['rm', 'q'])).toMatchObject({
      status: 2,
      err: expect.stringContaining('1 unfinished message'),
    });
    expect((await mq.run(['rm', '--force', 'q'])).status).toBe(0);
    expect((await mq.run(['rm', 'q'])).status).toBe(5);
    expect((await mq.run(['get', '-n', 'q'])).status).toBe(3);
  });

  test('move puts messages to the end of another queue', async ({ mq }) => {
    await mq.run(['put', 'from'], seq(5));
    await mq.run(['put', 'to', '0']);
    expect(await mq.run(['move', '-c', '2', 'from', 'to'])).toMatchObject({
      status: 0,
      err: 'mq: move from: 2 moved to to\n',
    });
    expect((await mq.run(['move', '-q', 'from', 'to'])).err).toBe('');
    expect((await mq.run(['get', '-a', 'to'])).out).toBe(`0\n${seq(5)}`);
    await mq.run(['put', 'from', 'x', 'y']);
    await mq.run(['create', 'small', '--maxsize', '1']);
    expect((await mq.run(['move', 'from', 'small'])).status).toBe(3);
    await mq.run(['close', 'small']);
    expect((await mq.run(['move', 'from', 'small'])).status).toBe(4);
    expect(await mq.size('from')).toBe(2);
  });

  test.for([
    ['size'],
    ['empty'],
    ['full'],
    ['stat'],
    ['peek'],
    ['purge'],
    ['rm'],
    ['close'],
    ['open'],
    ['set', '--maxsize', '1'],
  ])('%s of no such queue answers 5', async ([verb, ...options], { mq }) => {
    expect(await mq.run([verb as string, 'none', ...options])).toMatchObject({
      status: 5,
      err: `mq: ${verb} none: there is no queue none\nmq ls lists the queues.\n`,
    });
  });
});

describe('wrong usage answers 2 in one clear line', () => {
  test.for([
    [['get'], 'QUEUE is missing'],
    [['move', 'a'], 'TO is missing'],
    [['done', 'q'], 'LEASE is missing'],
    [['-q'], 'COMMAND is missing'],
    [['--', 'put', 'q', 'x'], 'COMMAND is missing'],
    [['-t', '5', 'put', 'q', 'x'], 'unknown option -t'],
    [['--no-start=1', 'put', 'q', 'x'], '--no-start takes no value'],
    [['size', 'a', 'b'], "unexpected operand 'b'"],
    [['frobnicate'], "unknown command 'frobnicate'"],
    [['put', '.hidden', 'x'], "'.hidden' cannot be a name"],
    [['put', 'a b', 'x'], "'a b' cannot be a name"],
    [['put', 'a\n\x1b[31m', 'x'], "'a\\u000a\\u001b[31m' cannot be a name"],
    [['put', 'n'.repeat(300), 'x'], `'${'n'.repeat(40)}...' cannot be a name`],
    [['put', 'q', '-t', '-1', 'x'], 'duration'],
    [['put', 'q', '-t', 'soon', 'x'], "'soon' is not a duration"],
    [['put', 'q', '-t', '25d', 'x'], '--timeout takes at most 24d'],
    [['put', 'q', '-t', '99999999999999999w', 'x'], '--timeout takes at most 24d'],
    [['put', 'q', '--delay', '9'.repeat(400), 'x'], '--delay takes at most 36525d'],
    [['put', 'q', '-n', '-t', '1', 'x'], 'exclude'],
    [['put', 'q', '-w', 'x'], 'standard input'],
    [['put', 'q', '-p', 'high', 'x'], '--priority takes an integer'],
    [['put', 'q', '-p', '1', 'x'], 'fifo'],
    [['get', 'q', '-c', '0'], '--count takes an integer'],
    [['get', 'q', '-a', '-f'], 'exclude'],
    [['get', 'q', '--bogus'], 'unknown option --bogus\n'],
    [['get', 'q', '--bogus=5'], 'unknown option --bogus\n'],
    [['get', 'q', '-nz'], 'unknown option -z\n'],
    [['put', 'q', '-_', 'x'], 'unknown option -_\n'],
    [['put', 'q', '--_', 'x'], 'unknown option --_\n'],
    [['put', 'q', '-_-', 'x'], 'unknown option -_\n'],
    [['put', 'q', '--$0=x', 'x'], 'unknown option --$0\n'],
    [['put', 'q', '--=x', 'x'], 'unknown option --\n'],
    [['put', 'q', '--__proto__=x', 'x'], 'unknown option --__proto__\n'],
    [['get', 'q', '--json=yes'], '--json takes no value'],
    [['put', 'q', '--quiet=', 'x'], '--quiet takes no value'],
    [['put', 'q', '-q=5', 'x'], '--quiet takes no value'],
    [['put', 'q', '-n=false', 'x'], '--nowait takes no value'],
    [['put', 'q', '-p', '-5', '--quiet=x', 'x'], '--quiet takes no value'],
    [['put', 'q', 'x', '-t'], 'the DURATION of -t is missing'],
    [['put', 'q', 'x', '-qt'], 'the DURATION of -t is missing'],
    [['put', 'q', 'x', '--key'], 'the KEY of --key is missing'],
    [['put', 'q', 'x', '--key', 'a', '--id', 'b'], '--id is called --key now: both were given'],
    [['put', 'q', '--id', 'a'], '--key goes with one MESSAGE'],
    [['pipe', 'p', 'cat', '-n'], 'COMMAND stands behind --\nas in: mq pipe p -- cat -n\n'],
    [['pipe', 'p', '--'], 'COMMAND is missing'],
    [['pipe', '--', 'p', 'cat'], 'NAME is missing'],
    [['create', 'q', '--kind', 'heap'], "'heap' is no kind"],
    [['create', 'q', '--maxsize', '-1'], 'maxsize'],
    [['serve', '--max-message', '0'], '--max-message'],
  ] as const)('mq %j', async ([args, text], { mq }) => {
    const { status, out, err } = await mq.run([...args]);
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(err).toMatch(/^mq: /);
    expect(err).toContain(text);
    expect(err.trimEnd().split('\n').length).toBeLessThanOrEqual(2);
  });

  test('negative priorities may follow their option', async ({ mq }) => {
    await mq.run(['create', 'q', '--kind', 'priority']);
    expect((await mq.run(['put', '-p', '-5', 'q', 'a'])).status).toBe(0);
    expect((await mq.run(['put', '--priority=-6', 'q', 'b'])).status).toBe(0);
    expect((await mq.run(['get', '-a', 'q'])).out).toBe('b\na\n');
  });
});

describe('help', () => {
  test('mq --help lists the commands, and mq alone says it on standard error', async ({ mq }) => {
    const help = await mq.run(['--help']);
    expect(help).toMatchObject({ status: 0, err: '' });
    expect(help.out).toMatch(/mq put QUEUE/);
    expect(await mq.run([])).toMatchObject({ status: 2, out: '' });
    expect((await mq.run(['--version'])).out).toMatch(/^mq \d+\.\d+\.\d+ \((no )?native front\)\n$/);
  });

  test('mq VERB --help explains a command, with examples', async ({ mq }) => {
    const { status, out } = await mq.run(['get', '--help']);
    expect(status).toBe(0);
    for (const text of ['--follow', '-t', 'Examples', 'mq get -n jobs']) expect(out).toContain(text);
    expect((await mq.run(['help', 'get'])).out).toBe(out);
  });
});
