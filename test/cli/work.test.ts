import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { isAlive, type Mq, processesOf, type Running, seq, test, until } from './mq.ts';

const leased = async (mq: Mq, queue = 'q') => (await mq.stat(queue))['leased'];

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

  test('messages are taken ahead of short commands, and go back behind a long one', async ({ mq }) => {
    await mq.sh(`yes short | head -n 800 | mq put q; mq put q long; seq 50 | mq put q; mkfifo go`);
    const script = 'read x; case $x in long) cat go; esac';
    const working = mq.run(['work', 'q', '--drain', '--', 'sh', '-c', script]);
    await until(async () => ((await leased(mq)) as number) > 1);
    await until(async () => (await mq.stat('q'))['waiting'] === 50 && (await leased(mq)) === 1);
    expect((await mq.run(['get', '-c', '50', 'q'])).out).toBe(seq(50));
    await mq.sh('echo went > go');
    expect(await working).toMatchObject({ status: 0, out: 'went\n', err: '' });
    expect(await mq.stat('q')).toMatchObject({ done: 851, failed: 0, put: 851 });
  });

  test('--drain waits for what others have and for what is delayed; without it, work ends when the queue is closed', async ({
    mq,
  }) => {
    expect((await mq.run(['work', 'none', '--drain', '--', 'true'])).status).toBe(0);
    await mq.run(['put', 'q', 'a']);
    await mq.run(['put', '--delay', '200ms', 'q', 'b']);
    const token = (await mq.run(['get', '--lease', '1h', 'q'])).out.split('\t')[0] as string;
    const draining = mq.start(['work', 'q', '--drain', '--', 'cat']);
    const working = mq.start(['work', 'q', '--', 'true']);
    await until(async () => (await mq.stat('q'))['done'] === 1);
    expect(draining.child.exitCode).toBe(null);
    await mq.run(['fail', 'q', token, '--delay', '0']);
    expect((await draining.done).status).toBe(0);
    expect(working.child.exitCode).toBe(null);
    await mq.run(['close', 'q']);
    expect((await working.done).status).toBe(0);
  });

  test('a lease is extended for as long as the command runs', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    const work = mq.start([
      'work',
      'q',
      '--drain',
      '--lease',
      '1s',
      '--',
      'sh',
      '-c',
      'sleep 3; echo $MQ_ATTEMPT',
    ]);
    expect(await work.done).toMatchObject({ status: 0, out: '1\n', err: '' });
    expect(await mq.stat('q')).toMatchObject({ done: 1, failed: 0 });
  });

  test('of several that end at once, one whose lease is gone keeps no other from being done', async ({
    mq,
  }) => {
    await mq.run(['put', 'q', 'a', 'b', 'c']);
    const go = join(mq.home, 'go');
    const script = `read x; echo $MQ_LEASE > ${mq.home}/lease.$x; echo $$; until [ -e ${go} ]; do sleep 0.01; done`;
    const work = mq.start(['work', 'q', '-j', '3', '--drain', '--', 'sh', '-c', script]);
    await until(() => work.out().split('\n').length === 4);
    const token = readFileSync(join(mq.home, 'lease.b'), 'utf8').trim();
    expect((await mq.run(['done', 'q', token])).status).toBe(0);
    work.child.kill('SIGSTOP');
    writeFileSync(go, '');
    const isZombie = (pid: string) => readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
    await until(() => work.out().trim().split('\n').every(isZombie));
    work.child.kill('SIGCONT');
    const result = await work.done;
    expect(result.status).toBe(0);
    expect(result.err).toMatch(/^mq: work q: "b": its lease is gone[^\n]*\n$/);
    expect(await mq.stat('q')).toMatchObject({ done: 3, failed: 0, waiting: 0, leased: 0 });
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

describe('a worker that ends', () => {
  const running = async (mq: Mq, ...args: string[]): Promise<Running> => {
    await mq.run(['put', 'q', 'a', 'b', 'c']);
    const work = mq.start(['work', 'q', '-j', '2', ...args]);
    // Messages on lease may not have begun.
    await until(() => childrenOf(work.child.pid as number).length === 2);
    return work;
  };
  const forever = (mq: Mq) => ['--', 'sh', '-c', `echo $$ >> ${mq.home}/pids; while :; do sleep 0.05; done`];
  const pids = (mq: Mq) =>
    existsSync(join(mq.home, 'pids'))
      ? readFileSync(join(mq.home, 'pids'), 'utf8').trim().split('\n').map(Number)
      : [];
  const endCommands = (mq: Mq) => {
    for (const pid of pids(mq)) process.kill(-pid, 'SIGKILL');
  };

  test('by SIGKILL: its messages are back at once, uncounted', async ({ mq }) => {
    const work = await running(mq, ...forever(mq));
    await until(() => pids(mq).length === 2);
    work.child.kill('SIGKILL');
    await until(async () => (await mq.stat('q'))['waiting'] === 3);
    expect(await mq.stat('q')).toMatchObject({ leased: 0, failed: 0 });
    expect(pids(mq).every(isAlive)).toBe(true);
    endCommands(mq);
    await work.done;
  });

  test('by SIGKILL, and the daemon with it: its messages are back at once, uncounted', async ({ mq }) => {
    const work = await running(mq, ...forever(mq));
    await until(() => pids(mq).length === 2);
    work.child.kill('SIGSTOP');
    await mq.killDaemon();
    work.child.kill('SIGKILL');
    await until(async () => (await mq.stat('q'))['waiting'] === 3);
    expect(await mq.stat('q')).toMatchObject({ leased: 0, failed: 0 });
    expect(pids(mq).every(isAlive)).toBe(true);
    endCommands(mq);
    await work.done;
  });

  test('by SIGKILL while it waits for what runs, and the daemon with it: its messages are back at once, uncounted', async ({
    mq,
  }) => {
    const work = await running(mq, ...forever(mq));
    await until(() => pids(mq).length === 2);
    work.child.kill('SIGTERM');
    await until(() => work.err().includes('once more'));
    await until(async () => (await leased(mq)) === 2);
    work.child.kill('SIGSTOP');
    await mq.killDaemon();
    work.child.kill('SIGKILL');
    await until(async () => (await mq.stat('q'))['waiting'] === 3);
    expect(await mq.stat('q')).toMatchObject({ leased: 0, failed: 0 });
    endCommands(mq);
    await work.done;
  });

  test('by SIGTERM while it looks for the next daemon: what it works on stays its own', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    const go = join(mq.home, 'go');
    const script = `until [ -e ${go} ]; do sleep 0.01; done; cat`;
    // One command runs, and a get waits.
    const work = mq.start(['work', 'q', '-j', '2', '--', 'sh', '-c', script]);
    await until(() => childrenOf(work.child.pid as number).length === 1);
    await mq.killDaemon();
    work.child.kill('SIGTERM');
    await until(() => work.err().includes('once more'));
    const connections = async () => JSON.parse((await mq.run(['status', '--json'])).out || '{}').connections;
    await until(async () => (await connections()) > 1);
    expect(await mq.run(['get', '-n', 'q'])).toMatchObject({ status: 3 });
    writeFileSync(go, '');
    expect(await work.done).toMatchObject({
      signal: 'SIGTERM',
      out: 'a\n',
      err: 'mq: work q: waiting for 1 command to finish; once more ends them\n',
    });
    expect(await mq.stat('q')).toMatchObject({ waiting: 0, leased: 0, done: 1, failed: 0 });
  });

  test('not when the daemon is SIGKILLed: it goes on', async ({ mq }) => {
    const go = join(mq.home, 'go');
    const script = `until [ -e ${go} ]; do sleep 0.01; done; echo $MQ_ATTEMPT`;
    const work = await running(mq, '--drain', '--', 'sh', '-c', script);
    await mq.killDaemon();
    await until(async () => (await leased(mq)) === 2);
    writeFileSync(go, '');
    expect(await work.done).toMatchObject({ status: 0, out: '1\n1\n1\n', err: '' });
    expect(await mq.stat('q')).toMatchObject({ done: 3, failed: 0 });
  });

  test.for(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'by %s: it takes nothing new, and lets what runs finish',
    async (signal, { mq }) => {
      const go = join(mq.home, 'go');
      const work = await running(mq, '--', 'sh', '-c', `until [ -e ${go} ]; do sleep 0.01; done; cat`);
      work.child.kill(signal);
      await until(() => work.err().includes('once more'));
      await mq.run(['put', 'q', 'd']);
      writeFileSync(go, '');
      const result = await work.done;
      expect(result.signal).toBe(signal);
      expect(result.out.split('\n').sort()).toEqual(['', 'a', 'b']);
      expect(result.err).toBe('mq: work q: waiting for 2 commands to finish; once more ends them\n');
      expect(await mq.stat('q')).toMatchObject({ waiting: 2, leased: 0, done: 2, failed: 0 });
    },
  );

  test('by SIGTERM while the daemon is SIGKILLed: what runs keeps its message', async ({ mq }) => {
    const go = join(mq.home, 'go');
    await mq.run(['put', 'late', 'a']);
    const script = `until [ -e ${go} ]; do sleep 0.01; done; cat`;
    const work = mq.start(['work', 'late', '-j', '2', '--', 'sh', '-c', script]);
    await until(async () => (await leased(mq, 'late')) === 1);
    const daemon = mq.daemonPid() as number;
    process.kill(daemon, 'SIGSTOP');
    work.child.kill('SIGTERM');
    await until(() => work.err().includes('once more'));
    await mq.killDaemon();
    await until(async () => (await mq.stat('late'))['consumers'] === 1);
    // By then it would have been given back.
    for (let look = 0; look < 5; look++) expect(await leased(mq, 'late')).toBe(1);
    writeFileSync(go, '');
    const result = await work.done;
    expect(result).toMatchObject({ signal: 'SIGTERM', out: 'a\n' });
    expect(result.err).not.toContain('lease is gone');
    expect(await mq.stat('late')).toMatchObject({ waiting: 0, leased: 0, done: 1 });
  });

  test('by SIGINT while it waits: at once', async ({ mq }) => {
    await mq.run(['create', 'q']);
    const work = mq.start(['work', 'q', '--', 'true']);
    await mq.untilConsumers('q', 1);
    work.child.kill('SIGINT');
    expect(await work.done).toMatchObject({ signal: 'SIGINT', err: '' });
  });

  test('by a second SIGINT: it ends the commands, all of their group, and gives the messages back', async ({
    mq,
  }) => {
    const script = `sleep 1000 & echo $! >> ${mq.home}/pids; wait`;
    const work = await running(mq, '--', 'sh', '-c', script);
    await until(() => pids(mq).length === 2);
    work.child.kill('SIGINT');
    await until(() => work.err().includes('once more'));
    work.child.kill('SIGINT');
    expect((await work.done).signal).toBe('SIGINT');
    await until(() => pids(mq).every((pid) => !isAlive(pid)));
    expect(await mq.stat('q')).toMatchObject({ waiting: 3, leased: 0, failed: 0 });
  });

  test('by a second SIGINT while it waits for room in --into: at once', async ({ mq }) => {
    await mq.run(['create', 'out', '--maxsize', '1']);
    await mq.run(['put', 'out', 'full']);
    await mq.run(['put', 'q', 'a']);
    const work = mq.start(['work', 'q', '--into', 'out', '--', 'cat']);
    await until(async () => (await mq.stat('q'))['leased'] === 1);
    await until(async () => (await mq.stat('out'))['consumers'] === 0 && processesOf(mq.home).length === 2);
    work.child.kill('SIGINT');
    await until(() => work.err().includes('once more'));
    work.child.kill('SIGINT');
    expect((await work.done).signal).toBe('SIGINT');
    expect(await mq.stat('q')).toMatchObject({ waiting: 1, leased: 0, failed: 0 });
    expect(await mq.size('out')).toBe(1);
  });

  test('by mq stop: it ends the commands, gives the messages back, and ends with 69', async ({ mq }) => {
    const work = await running(mq, ...forever(mq));
    await until(() => pids(mq).length === 2);
    await mq.run(['stop']);
    expect(await work.done).toMatchObject({ status: 69, err: 'mq: work q: the daemon was stopped\n' });
    expect(pids(mq).every((pid) => !isAlive(pid))).toBe(true);
    expect(await mq.stat('q')).toMatchObject({ waiting: 3, leased: 0, failed: 0 });
  });
});

describe('exactly one set of outputs for each input', () => {
  const COUNT = 2000;
  const KILLS = 50;
  const args = ['work', 'q', '-j', '4', '--into', 'out'];
  const command = ['--', 'sh', '-c', 'read x; echo "$x a"; echo "$x b"'];
  const check = async (mq: Mq) => {
    const { out } = await mq.run(['get', '-a', 'out']);
    const expected = seq(COUNT)
      .trim()
      .split('\n')
      .flatMap((i) => [`${i} a`, `${i} b`]);
    expect(out.trim().split('\n').sort()).toEqual(expected.sort());
    expect(await mq.stat('q')).toMatchObject({ done: COUNT, failed: 0, waiting: 0, leased: 0 });
  };
  /** Waits until some more are done, up to a twenty-fifth of all. */
  const random = async (mq: Mq, done: number, { child }: Running) => {
    const wanted = done + Math.random() * (COUNT / KILLS) * 1.5;
    await until(async () => {
      const { done } = await mq.stat('q');
      return Number(done) > wanted || Number(done) === COUNT || child.exitCode !== null;
    });
    return Number((await mq.stat('q'))['done']);
  };

  test(`with the worker SIGKILLed ${KILLS} times`, async ({ mq }) => {
    await mq.run(['put', 'q'], seq(COUNT));
    let done = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const work = mq.start([...args, ...command]);
      done = await random(mq, done, work);
      work.child.kill('SIGKILL');
      await work.done;
    }
    await mq.run([...args, '--drain', ...command]);
    await check(mq);
  });

  test(`with the daemon SIGKILLed ${KILLS} times`, async ({ mq }) => {
    await mq.run(['put', 'q'], seq(COUNT));
    const work = mq.start([...args, '--drain', ...command]);
    let done = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      done = await random(mq, done, work);
      await mq.killDaemon();
    }
    expect(await work.done).toMatchObject({ status: 0, err: '' });
    await check(mq);
  });
});

/** The notes of mq work about messages, without times. */
function withoutTimes(err: string): string {
  return err.replaceAll(/\d+\.\d{3} s/g, 'T s');
}

function childrenOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
}
