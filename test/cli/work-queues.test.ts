import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { type Mq, seq, test, until } from './mq.ts';

const leased = async (mq: Mq, queue = 'q') => (await mq.stat(queue))['leased'];

describe('mq work with several queues', () => {
  test('takes from the first, in the order given, that has a message, and settles it there', async ({
    mq,
  }) => {
    await mq.run(['create', 'urgent', '--max-attempts', '1']);
    await mq.run(['put', 'normal', 'n1', 'n2']);
    await mq.run(['put', 'urgent', 'u1', 'u2']);
    const script = 'read x; echo "$MQ_QUEUE $x"; [ "$x" != u2 ]';
    const result = await mq.run([
      'work',
      'urgent',
      'none',
      'normal',
      'urgent',
      '--drain',
      '--',
      'sh',
      '-c',
      script,
    ]);
    expect(result).toMatchObject({ status: 123, out: 'urgent u1\nurgent u2\nnormal n1\nnormal n2\n' });
    expect(withoutTimes(result.err)).toBe(
      'mq: work urgent: "u2": failed with status 1 (T s); given up on after 1 attempt\n',
    );
    expect(await mq.stat('urgent')).toMatchObject({ done: 1, dead: 1, leased: 0, waiting: 0 });
    expect(await mq.stat('normal')).toMatchObject({ done: 2, failed: 0, leased: 0, waiting: 0 });
    expect(await mq.size('urgent.dead')).toBe(1);
  });

  test('a queue that is named twice counts once', async ({ mq }) => {
    await mq.run(['put', 'q', 'a', 'b']);
    const result = await mq.run(['work', 'q', 'q', '--drain', '--', 'sh', '-c', 'echo "$MQ_QUEUE $(cat)"']);
    expect(result).toMatchObject({ status: 0, out: 'q a\nq b\n', err: '' });
  });

  test('--drain ends when nothing is unfinished in any of them; without it when all are closed, too', async ({
    mq,
  }) => {
    await mq.run(['put', 'b', 'b1']);
    const token = (await mq.run(['get', '--lease', '1h', 'b'])).out.split('\t')[0] as string;
    const draining = mq.start(['work', 'a', 'b', '--drain', '--', 'cat']);
    const working = mq.start(['work', 'a', 'b', '--', 'cat']);
    await mq.untilConsumers('b', 2);
    await mq.run(['put', 'a', 'a1']);
    await until(async () => (await mq.stat('a'))['done'] === 1);
    await mq.run(['put', '--delay', '0.5', 'a', 'a2']);
    await mq.run(['done', 'b', token]);
    expect(draining.child.exitCode).toBe(null);
    expect((await draining.done).status).toBe(0);
    expect(await mq.stat('a')).toMatchObject({ put: 2, done: 2 });
    await mq.run(['close', 'a']);
    await mq.run(['put', 'b', 'b2']);
    await until(async () => (await mq.stat('b'))['done'] === 2);
    expect(working.child.exitCode).toBe(null);
    await mq.run(['close', 'b']);
    expect((await working.done).status).toBe(0);
    const lines = `${draining.out()}${working.out()}`.trim().split('\n').sort();
    expect(lines).toEqual(['a1', 'a2', 'b2']);
  });

  test('two stages in one: --into one of them, until nothing is left in both', async ({ mq }) => {
    await mq.run(['put', 'in'], seq(50));
    const script = 'read x; [ "$MQ_QUEUE" = out ] || echo "$x"';
    for (const [first, second] of [
      ['in', 'out'],
      ['out', 'in'],
    ] as const) {
      await mq.run(['put', 'in'], seq(50));
      const args = ['work', first, second, '-j', '4', '--into', 'out', '--drain', '--', 'sh', '-c', script];
      expect(await mq.run(args)).toMatchObject({ status: 0, out: '', err: '' });
      for (const queue of ['in', 'out'])
        expect(await mq.stat(queue)).toMatchObject({ waiting: 0, leased: 0, delayed: 0 });
    }
    expect(await mq.stat('out')).toMatchObject({ put: 150, done: 150 });
  });

  test('a crash of the daemon loses and doubles nothing in any of them', async ({ mq }) => {
    for (const queue of ['a', 'b']) await mq.run(['put', queue], seq(200));
    const work = mq.start([
      'work',
      'a',
      'b',
      '-j',
      '4',
      '--drain',
      '--',
      'sh',
      '-c',
      'echo "$MQ_QUEUE $(cat)"',
    ]);
    for (const [queue, count] of [
      ['a', 20],
      ['a', 120],
      ['b', 20],
      ['b', 120],
    ] as const) {
      await until(async () => Number((await mq.stat(queue))['done']) > count);
      await mq.killDaemon();
    }
    const { status, out, err } = await work.done;
    expect({ status, err }).toEqual({ status: 0, err: '' });
    const wanted = ['a', 'b'].flatMap((queue) => Array.from({ length: 200 }, (_, i) => `${queue} ${i + 1}`));
    expect(out.trim().split('\n').sort()).toEqual(wanted.sort());
    for (const queue of ['a', 'b'])
      expect(await mq.stat(queue)).toMatchObject({ done: 200, failed: 0, waiting: 0, leased: 0 });
  });
});

describe('mq work --into', () => {
  const work = (mq: Mq, script: string, ...options: string[]) =>
    mq.run(['work', 'q', '--into', 'out', '--drain', ...options, '--', 'sh', '-c', script]);

  test('puts each line that the command prints, also the last one without a newline, and nothing for none', async ({
    mq,
  }) => {
    await mq.run(['put', 'q', 'a', 'none', 'b']);
    const result = await work(mq, 'read x; [ $x = none ] || printf "$x 1\\n\\n$x 3"');
    expect(result).toMatchObject({ status: 0, out: '', err: '' });
    expect((await mq.run(['get', '-a', 'out'])).out).toBe('a 1\n\na 3\nb 1\n\nb 3\n');
  });

  test('-w: all that it prints is one message, even nothing; -0: NUL ends each', async ({ mq }) => {
    await mq.run(['put', 'q', 'a\nb', '']);
    await work(mq, 'cat', '-w');
    expect((await mq.run(['get', '-a', '-0', 'out'])).out).toBe('a\nb\0\0');
    await mq.run(['put', 'q', 'a']);
    await work(mq, 'printf "1\\n\\0002\\0"', '-0');
    expect((await mq.run(['get', '-a', '-0', 'out'])).out).toBe('1\n\x002\0');
  });

  test('a command that fails puts nothing, whatever it printed', async ({ mq }) => {
    await mq.run(['create', 'q', '--max-attempts', '2', '--retry-delay', '0']);
    await mq.run(['put', 'q', 'a']);
    expect((await work(mq, 'echo x; [ $MQ_ATTEMPT = 2 ]')).status).toBe(0);
    expect((await mq.run(['get', '-a', 'out'])).out).toBe('x\n');
    await mq.run(['put', 'q', 'b']);
    expect((await work(mq, 'echo x; false')).status).toBe(123);
    expect(await mq.size('out')).toBe(0);
  });

  test('waits for room in a full queue, and then puts all of one input', async ({ mq }) => {
    await mq.run(['create', 'out', '--maxsize', '1']);
    await mq.run(['put', 'out', 'full']);
    await mq.run(['put', 'q', 'a']);
    const working = work(mq, 'echo 1; echo 2; echo 3', '--lease', '1s');
    await until(async () => (await leased(mq)) === 1);
    expect((await mq.run(['join', '-t', '3s', 'q'])).status).toBe(3);
    expect((await mq.run(['get', 'out'])).out).toBe('full\n');
    expect((await working).status).toBe(0);
    expect((await mq.run(['get', '-a', 'out'])).out).toBe('1\n2\n3\n');
    expect(await mq.stat('q')).toMatchObject({ failed: 0, done: 1 });
  });

  test('while outputs wait for room, at most N more commands run', async ({ mq }) => {
    await mq.run(['create', 'out', '--maxsize', '1']);
    await mq.run(['put', 'out', 'full']);
    await mq.run(['put', 'q'], seq(10));
    const working = work(mq, `read x; echo $x | tee -a ${mq.home}/begun`, '-j', '2');
    await until(async () => (await leased(mq)) === 4);
    expect((await mq.run(['join', '-t', '300ms', 'q'])).status).toBe(3);
    await until(async () => (await leased(mq)) === 4);
    expect(readFileSync(join(mq.home, 'begun'), 'utf8').split('\n')).toHaveLength(5);
    expect((await mq.run(['get', '-c', '11', 'out'])).out.split('\n').sort()).toEqual(
      ['full', '', ...seq(10).trim().split('\n')].sort(),
    );
    expect((await working).status).toBe(0);
  });

  test('a closed one stops work (4), and the message is back, uncounted', async ({ mq }) => {
    await mq.run(['create', 'out']);
    await mq.run(['close', 'out']);
    await mq.run(['put', 'q', 'a']);
    const result = await work(mq, 'echo x');
    expect(result.status).toBe(4);
    expect(result.err).toMatch(/^mq: work q: queue out is closed\n/);
    expect(await mq.stat('q')).toMatchObject({ waiting: 1, leased: 0, failed: 0 });
  });

  test('more than the daemon takes at a time is a failure', async ({ mq }) => {
    const serve = mq.start(['serve', '--max-message', '100000']);
    await until(async () => (await mq.run(['status'])).status === 0);
    await mq.run(['create', 'q', '--max-attempts', '1']);
    await mq.run(['put', 'q', 'a']);
    const result = await work(mq, 'seq 1000000');
    expect(result.status).toBe(123);
    expect(result.err).toMatch(/printed more than the daemon takes/);
    await mq.run(['stop']);
    await serve.done;
  });

  test('a worker that hangs loses its lease: another does the work, and its outputs are discarded', async ({
    mq,
  }) => {
    await mq.run(['put', 'q', 'a']);
    const go = join(mq.home, 'go');
    const script = `until [ -e ${go} ]; do sleep 0.01; done; echo "from $MQ_ATTEMPT"`;
    const args = ['work', 'q', '--into', 'out', '--lease', '1s', '--drain', '--', 'sh', '-c'];
    const hung = mq.start([...args, script]);
    await until(async () => (await leased(mq)) === 1);
    hung.child.kill('SIGSTOP');
    await until(async () => (await mq.stat('q'))['failed'] === 1);
    expect((await mq.run([...args, 'echo "other $MQ_ATTEMPT"'])).status).toBe(0);
    writeFileSync(go, '');
    hung.child.kill('SIGCONT');
    const result = await hung.done;
    expect(result.status).toBe(0);
    expect(result.err).toMatch(/its lease is gone/);
    expect((await mq.run(['get', '-a', 'out'])).out).toBe('other 2\n');
  });
});

/** The notes of mq work about messages, without times. */
function withoutTimes(err: string): string {
  return err.replaceAll(/\d+\.\d{3} s/g, 'T s');
}
