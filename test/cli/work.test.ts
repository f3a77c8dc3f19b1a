import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { test } from './mq.ts';

describe('mq work', () => {
  test('gives the message and a newline on standard input, and says which it is', async ({ mq }) => {
    await mq.run(['put', 'q', 'a b', '']);
    const script =
      'cat; echo "$MQ_QUEUE $MQ_ATTEMPT $(expr "$MQ_LEASE" : "\\([0-9]*\\)[.]")"; cat /dev/stdin';
    const result = await mq.run(['work', 'q', '--drain', '--', 'sh', '-c', script]);
    expect(result).toMatchObject({ status: 0, out: 'a b\nq 1 1\na b\n\nq 1 2\n\n', err: '' });
    expect(await mq.stat('q')).toMatchObject({ waiting: 0, leased: 0, got: 2, done: 2, failed: 0 });
  });

  test('-0 ends it with NUL, -w with nothing', async ({ mq }) => {
    for (const [option, out] of [
      ['-0', 'a\0'],
      ['-w', 'a'],
    ] as const) {
      await mq.run(['put', 'q', 'a']);
      expect((await mq.run(['work', option, 'q', '--drain', '--', 'cat'])).out).toBe(out);
    }
  });

  test('{} stands for the message, and standard input is empty then', async ({ mq }) => {
    await mq.run(['put', 'q', "it's $HOME {} *"]);
    const result =
      await mq.sh(`mq work q --drain -- printf '<%s>' {} 'x{}y{}' z "$(echo '{}')"; echo; mq put q a
      mq work q --drain -- sh -c 'echo {}; cat' < /dev/tty 2>/dev/null || echo a | mq work q --drain -- sh -c 'echo {}; cat'`);
    expect(result.out).toBe("<it's $HOME {} *><xit's $HOME {} *yit's $HOME {} *><z><it's $HOME {} *>\na\n");
  });

  test('{} takes any bytes but NUL; what cannot be an argument has failed', async ({ mq }) => {
    const bytes = Buffer.from(Array.from({ length: 255 }, (_, i) => i + 1));
    await mq.run(['put', '-w', 'q'], Buffer.concat([bytes, Buffer.from('\n')]));
    const all = await mq.run(['work', 'q', '--drain', '--', 'printf', '%s', '{}']);
    expect(all.stdout.equals(Buffer.concat([bytes, Buffer.from('\n')]))).toBe(true);
    await mq.run(['create', 'r', '--max-attempts', '1']);
    await mq.run(['put', '-w', 'r'], Buffer.from('a\0b'));
    await mq.run(['put', '-w', 'r'], Buffer.alloc(200_000, 'x'));
    const none = await mq.run(['work', 'r', '--drain', '--', 'echo', '{}']);
    expect([none.status, none.out]).toEqual([123, '']);
    expect(none.err).toMatch(/NUL[^\n]*\n[^\n]*too long for an argument/);
    expect(await mq.size('r.dead')).toBe(2);
  });

  test('{} that is no UTF-8 may be as long as any argument', async ({ mq }) => {
    const longest = Buffer.alloc(128 * 1024 - 1, 0xe9);
    await mq.run(['put', '-w', 'q'], longest);
    const all = await mq.run(['work', 'q', '--drain', '--', 'printf', '%s', '{}']);
    expect(all).toMatchObject({ status: 0, err: '' });
    expect(all.stdout.equals(longest)).toBe(true);
    await mq.run(['set', 'q', '--max-attempts', '1']);
    await mq.run(['put', '-w', 'q'], Buffer.concat([longest, Buffer.of(0xe9)]));
    const none = await mq.run(['work', 'q', '--drain', '--', 'printf', '%s', '{}']);
    expect([none.status, none.out]).toEqual([123, '']);
    expect(none.err).toContain('too long for an argument');
  });

  test('{} that is no UTF-8: a command that is not there stops work, and 127 of its own is a failure', async ({
    mq,
  }) => {
    await mq.run(['create', 'q', '--max-attempts', '1']);
    await mq.run(['put', '-w', 'q'], Buffer.of(0xe9));
    for (const [command, expected] of [
      ['nonexistent', 127],
      ['/etc/passwd', 126],
    ] as const) {
      const { status, err } = await mq.run(['work', 'q', '--drain', '--', command, '{}']);
      expect(status).toBe(expected);
      expect(err).toMatch(/cannot be started: (no such file or directory|permission denied)\n$/);
      expect(await mq.stat('q')).toMatchObject({ waiting: 1, failed: 0 });
    }
    const own = await mq.run(['work', 'q', '--drain', '--', 'sh', '-c', 'exit 127', '{}']);
    expect(own.status).toBe(123);
    expect(await mq.stat('q')).toMatchObject({ waiting: 0, failed: 1, dead: 1 });
  });

  test('a message of 10 MB that nobody reads harms nobody', async ({ mq }) => {
    await mq.run(['put', '-w', 'q'], Buffer.alloc(10_000_000, 'x'));
    expect(await mq.run(['work', 'q', '--drain', '--', 'true'])).toMatchObject({ status: 0, err: '' });
  });

  test('a command that fails is tried again, and then given up on (123)', async ({ mq }) => {
    await mq.run(['create', 'q', '--retry-delay', '10ms', '--max-attempts', '3']);
    await mq.run(['put', 'q', 'good', 'bad']);
    const script = 'read -r x; echo "$x $MQ_ATTEMPT"; echo "oh: $x" >&2; [ "$x" = good ]';
    const result = await mq.run(['work', 'q', '--drain', '--', 'sh', '-c', script]);
    expect(result).toMatchObject({ status: 123, out: 'good 1\nbad 1\nbad 2\nbad 3\n' });
    expect(withoutTimes(result.err)).toBe(
      [
        'oh: good',
        'oh: bad',
        'oh: bad',
        'oh: bad',
        'mq: work q: "bad": failed with status 1 (T s); given up on after 3 attempts',
        '',
      ].join('\n'),
    );
    expect(await mq.stat('q')).toMatchObject({ done: 1, failed: 3, dead: 1, waiting: 0, delayed: 0 });
    expect((await mq.run(['peek', '-c', '2', 'q.dead'])).out).toBe('bad\n');
    await mq.run(['move', 'q.dead', 'q']);
    await mq.run(['set', 'q', '--max-attempts', '1']);
    expect(await mq.run(['work', '-q', 'q', '--drain', '--', 'false'])).toMatchObject({
      status: 123,
      err: '',
    });
  });

  test('any status but 0, and any signal, is a failure; -v says which, and how long it took', async ({
    mq,
  }) => {
    await mq.run(['create', 'q', '--max-attempts', '1']);
    await mq.run(['put', 'q', 'exit 0', 'exit 7', 'exit 127', 'kill -KILL $$']);
    const result = await mq.run(['work', '-v', 'q', '--drain', '--', 'sh', '-c', '{}']);
    expect(result.status).toBe(123);
    expect(withoutTimes(result.err)).toBe(
      [
        'mq: work q: "exit 0": done (T s)',
        'mq: work q: "exit 7": failed with status 7 (T s); given up on after 1 attempt',
        'mq: work q: "exit 127": failed with status 127 (T s); given up on after 1 attempt',
        'mq: work q: "kill -KILL $$": failed by SIGKILL (T s); given up on after 1 attempt',
        '',
      ].join('\n'),
    );
  });

  test('a command that cannot be started stops work at once (127, 126), and the message is back, uncounted', async ({
    mq,
  }) => {
    await mq.run(['put', 'q', 'a', 'b']);
    const file = join(mq.home, 'file');
    writeFileSync(file, '');
    for (const [command, status] of [
      ['no-such-command', 127],
      ['', 127],
      ['no-such-{}', 127],
      [join(mq.home, 'none'), 127],
      [file, 126],
      [`${file}/below`, 127],
      [mq.home, 126],
    ] as const) {
      const result = await mq.run(['work', 'q', '-j', '2', '--', command]);
      expect([command, result.status]).toEqual([command, status]);
      expect(result.err).toMatch(/^mq: work q: .* cannot be started: [a-z ]+\n$/);
      expect(await mq.stat('q')).toMatchObject({ waiting: 2, leased: 0, failed: 0 });
    }
  });

  test('a command is looked up in PATH before anything is taken, as it is when it is started', async ({
    mq,
  }) => {
    const [first, second] = ['first', 'second'].map((name) => join(mq.home, name)) as [string, string];
    for (const folder of [first, second]) mkdirSync(folder);
    writeFileSync(join(first, 'own'), '#!/bin/sh\ncat\n');
    const work = (path: string, ...options: string[]) =>
      mq.sh(`mq put q a; PATH=${path} "$(command -v mq)" work q --drain ${options.join(' ')} -- own`);
    expect((await work(`${second}:$PATH`)).status).toBe(127);
    // One that cannot be executed counts when there is no other.
    expect((await work(`${first}:${second}:$PATH`)).status).toBe(126);
    expect(await mq.stat('q')).toMatchObject({ waiting: 2, got: 0 });
    writeFileSync(join(second, 'own'), '#!/bin/sh\ncat\n', { mode: 0o755 });
    expect(await work(`${first}:${second}:$PATH`)).toMatchObject({ status: 0, out: 'a\na\na\n', err: '' });
  });

  test('-j: so many run at a time, each in a process group of its own', async ({ mq }) => {
    await mq.sh('seq 8 | mq put q');
    // Each waits for three others.
    const script = `read -r x; ps -o pgid= -p $$ > ${mq.home}/p.$x; echo $$ >> ${mq.home}/p.$x
      while [ $(ls ${mq.home}/p.* | wc -l) -lt 4 ]; do sleep 0.01; done; ls ${mq.home}/p.* | wc -l`;
    const result = await mq.run(['work', 'q', '-j', '4', '--drain', '--', 'sh', '-c', script]);
    expect(result.status).toBe(0);
    expect(result.out.split('\n')[0]).toBe('4');
    for (const name of readdirSync(mq.home).filter((name) => name.startsWith('p.'))) {
      const [group, pid] = readFileSync(join(mq.home, name), 'utf8').trim().split(/\s+/);
      expect(group).toBe(pid);
    }
  });

  test('wrong usage answers 2', async ({ mq }) => {
    for (const args of [
      ['q'],
      [],
      ['q', '--'],
      ['--', 'q'],
      ['--', 'q', 'true'],
      ['q', '-j', '0', '--', 'true'],
      ['q', '--into', '.x', '--', 'true'],
    ]) {
      expect([args, (await mq.run(['work', ...args])).status]).toEqual([args, 2]);
    }
  });

  test.for([
    ['q true', 'mq work q -- true'],
    ['q true --drain', 'mq work q -- true --drain'],
    ['urgent normal handle', 'mq work urgent -- normal handle'],
    ['-j 2 q --drain grep -q {}', 'mq work -j 2 q --drain -- grep -q {}'],
  ])('without -- it takes nothing, and shows the line with it: %s', async ([line, advice], { mq }) => {
    for (const queue of ['q', 'urgent', 'normal']) await mq.run(['put', queue, 'a']);
    expect(await mq.run(['work', ...(line as string).split(' ')])).toMatchObject({
      status: 2,
      out: '',
      err: `mq: work: COMMAND stands behind --\nas in: ${advice}\n`,
    });
    for (const queue of ['q', 'urgent', 'normal'])
      expect(await mq.stat(queue)).toMatchObject({ waiting: 1, got: 0 });
  });

  test('what stands behind -- is the command, options of the same names too', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    const result = await mq.run(['work', 'q', '--drain', '--', 'printf', '%s ', '-q', '{}', '--drain', '--']);
    expect(result).toMatchObject({ status: 0, out: '-q a --drain -- ', err: '' });
  });
});

/** The notes of mq work about messages, without times. */
function withoutTimes(err: string): string {
  return err.replaceAll(/\d+\.\d{3} s/g, 'T s');
}
