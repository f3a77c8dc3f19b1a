import { randomBytes } from 'node:crypto';
import { describe, expect } from 'vitest';
import { seq, test, until } from './mq.ts';

describe('put and get', () => {
  test('a message goes from one command to another', async ({ mq }) => {
    expect(await mq.run(['put', 'q', 'hello'])).toMatchObject({ status: 0, out: '', err: '' });
    expect(await mq.run(['get', 'q'])).toMatchObject({ status: 0, out: 'hello\n', err: '' });
  });

  test('put takes several messages, in order', async ({ mq }) => {
    await mq.run(['put', 'q', 'a', 'b c', '']);
    expect((await mq.run(['get', '-c', '3', 'q'])).out).toBe('a\nb c\n\n');
  });

  test('put takes lines, with and without a last newline, and empty ones', async ({ mq }) => {
    await mq.run(['put', 'q'], 'a\n\nb\nlast');
    expect(await mq.size('q')).toBe(4);
    expect((await mq.run(['get', '-a', 'q'])).out).toBe('a\n\nb\nlast\n');
  });

  test('put reads a FIFO to its end that its writer has left already', async ({ mq }) => {
    const script =
      'mkfifo $MQ_HOME/f; exec 3<>$MQ_HOME/f; exec 4<$MQ_HOME/f; echo a >&3; exec 3>&-; mq put q <&4';
    expect(await mq.sh(script)).toMatchObject({ status: 0, err: '' });
    expect((await mq.run(['get', '-a', 'q'])).out).toBe('a\n');
  });

  test('put of an empty input stores nothing', async ({ mq }) => {
    expect((await mq.run(['put', 'q'], '')).status).toBe(0);
    expect((await mq.run(['get', '-n', 'q'])).status).toBe(3);
  });

  test('-0 ends messages in NUL, in and out', async ({ mq }) => {
    await mq.run(['put', '-0', 'q'], 'a\nb\0c');
    expect((await mq.run(['get', '-0', '-c', '2', 'q'])).out).toBe('a\nb\0c\0');
  });

  test('-w takes the whole input as one message, and gives back the same bytes', async ({ mq }) => {
    const bytes = randomBytes(1024 * 1024);
    await mq.run(['put', '-w', 'q'], bytes);
    expect(await mq.size('q')).toBe(1);
    expect((await mq.run(['get', '-w', 'q'])).stdout.equals(bytes)).toBe(true);
  });

  test('-w of an empty input is an empty message', async ({ mq }) => {
    await mq.run(['put', '-w', 'q'], '');
    expect(await mq.size('q')).toBe(1);
    expect(await mq.run(['get', '-w', 'q'])).toMatchObject({ status: 0, out: '' });
  });

  test('a line of 10 MB goes through', async ({ mq }) => {
    const line = Buffer.alloc(10_000_000, 'x');
    await mq.run(['put', 'q'], Buffer.concat([line, Buffer.from('\nnext\n')]));
    const { stdout } = await mq.run(['get', '-a', 'q']);
    expect(stdout.subarray(0, 10_000_000).equals(line)).toBe(true);
    expect(stdout.subarray(10_000_000).toString()).toBe('\nnext\n');
  });

  test('a message that is not UTF-8 goes through unharmed', async ({ mq }) => {
    await mq.sh(`mq put q ok $'\\xff\\xfe' -- $'-\\x80'`);
    expect((await mq.run(['get', '-a', 'q'])).stdout.toString('latin1')).toBe('ok\n\xff\xfe\n-\x80\n');
  });

  test('a message of more than the limit is refused, and what came before is stored', async ({ mq }) => {
    const daemon = mq.start(['serve', '--max-message', '1024']);
    await until(async () => (await mq.run(['status'])).status === 0);
    const result = await mq.run(['put', 'q'], `one\n${'x'.repeat(2000)}\nthree\n`);
    expect(result.status).toBe(2);
    expect(result.err).toContain('1 message was stored');
    expect((await mq.run(['put', 'q', 'y'.repeat(2000)])).status).toBe(2);
    expect((await mq.run(['get', '-a', 'q'])).out).toBe('one\n');
    await mq.run(['stop']);
    expect((await daemon.done).status).toBe(0);
  });

  test('options may stand before or after names, and -- ends them', async ({ mq }) => {
    await mq.run(['put', 'q', '-t', '1', 'a', '--', '-x', '--nowait']);
    expect((await mq.run(['get', 'q', '-c', '3'])).out).toBe('a\n-x\n--nowait\n');
  });

  test('a put with messages leaves standard input alone', async ({ mq }) => {
    const { out } = await mq.sh(
      `printf 'a\\nb\\nc\\n' | while read -r x; do mq put q "$x"; done; mq get -a q`,
    );
    expect(out).toBe('a\nb\nc\n');
  });

  test('get takes from the first of several queues that has a message', async ({ mq }) => {
    await mq.run(['put', 'b', '1', '2']);
    await mq.run(['put', 'a', '3']);
    expect((await mq.run(['get', 'a', 'b'])).out).toBe('3\n');
    expect((await mq.run(['get', 'a', 'b'])).out).toBe('1\n');
    const waiting = mq.start(['get', '-c', '2', 'a', 'c', 'b']);
    await until(() => waiting.out() === '2\n');
    await mq.run(['put', 'c', '4']);
    expect((await waiting.done).out).toBe('2\n4\n');
  });

  test('--json says what is known of a message', async ({ mq }) => {
    await mq.run(['create', 'q', '--kind', 'priority']);
    const before = Date.now();
    await mq.run(['put', '-p', '-2', 'q', 'zwölf "quoted"']);
    await mq.sh(`mq put q $'\\xff'`);
    const [first, second] = (await mq.run(['get', '-a', '--json', 'q'])).out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, string>);
    expect(first).toMatchObject({ queue: 'q', body: 'zwölf "quoted"', priority: -2 });
    expect(Date.parse(first?.['put_at'] as string)).toBeGreaterThanOrEqual(before - 1);
    expect(second).toMatchObject({ queue: 'q', body_base64: '/w==', priority: 0 });
  });

  test('a queue gives messages in its order', async ({ mq }) => {
    await mq.run(['create', 'l', '--kind', 'lifo']);
    await mq.run(['create', 'p', '--kind', 'priority']);
    await mq.run(['put', 'l', '1', '2', '3']);
    for (const [priority, text] of [
      ['5', 'e'],
      ['-1', 'a'],
      ['0', 'b'],
      ['5', 'f'],
      ['0', 'c'],
    ]) {
      await mq.run(['put', 'p', '-p', priority as string, text as string]);
    }
    expect((await mq.run(['get', '-a', 'l'])).out).toBe('3\n2\n1\n');
    expect((await mq.run(['get', '-a', 'p'])).out).toBe('a\nb\nc\ne\nf\n');
  });

  test('a line can be got as soon as its slow producer wrote it', async ({ mq }) => {
    const producer = mq.start(['put', 'q'], { open: true });
    producer.child.stdin?.write('first\nsec');
    expect((await mq.run(['get', 'q'])).out).toBe('first\n');
    expect((await mq.run(['get', '-n', 'q'])).status).toBe(3);
    producer.child.stdin?.end('ond');
    expect((await mq.run(['get', 'q'])).out).toBe('second\n');
    expect((await producer.done).status).toBe(0);
  });

  test('get -a takes what is there and does not wait', async ({ mq }) => {
    expect((await mq.run(['get', '-a', 'q'])).status).toBe(3);
    await mq.run(['put', 'q'], seq(5000));
    expect((await mq.run(['get', '-a', 'q'])).out).toBe(seq(5000));
  });

  test('get prints what came in time, and then answers 3', async ({ mq }) => {
    await mq.run(['put', 'q', 'a', 'b']);
    const result = await mq.run(['get', '-c', '3', '-t', '0.2', 'q']);
    expect(result).toMatchObject({ status: 3, out: 'a\nb\n' });
    expect(result.err).toBe('mq: get q: no further message in time\n');
  });
});
