import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { openPipe } from '../../src/stdio/temporary.ts';
import { kills } from '../kills.ts';
import { isAlive, type Mq, type Running, test, until } from './mq.ts';

interface End {
  pid: number;
  direction: string;
  sent: number;
  received: number;
}

interface Pipe {
  name: string;
  state: string;
  ends: End[];
}

async function pipes(mq: Mq): Promise<Pipe[]> {
  const { out } = await mq.run(['ls', '--json']);
  const all = out.split('\n').filter((line) => line !== '');
  return all.map((line) => JSON.parse(line)).filter(({ kind }) => kind === 'pipe');
}

/** Waits until pipe `name` is in this state. */
async function untilState(mq: Mq, name: string, state: 'waiting' | 'open'): Promise<void> {
  await until(async () => (await pipes(mq)).some((pipe) => pipe.name === name && pipe.state === state));
}

/** An end whose standard input stays open, and that waits for the other one. */
async function waiting(mq: Mq, name: string, ...options: string[]): Promise<Running> {
  const end = mq.start(['pipe', name, ...options], { open: true });
  await untilState(mq, name, 'waiting');
  return end;
}

/** Two ends of one pipe, whose standard input stays open. */
async function pair(mq: Mq, ...options: string[]): Promise<[Running, Running]> {
  const first = await waiting(mq, 'p', ...options);
  const second = mq.start(['pipe', 'p'], { open: true });
  await untilState(mq, 'p', 'open');
  return [first, second];
}

describe('bytes', () => {
  test('one way: what goes into --send comes out of --recv, in either order of arrival', async ({ mq }) => {
    for (const [first, second] of [
      ['--send', '--recv'],
      ['--recv', '--send'],
    ] as const) {
      const one = mq.start(['pipe', 'p', first], { input: 'hello' });
      await untilState(mq, 'p', 'waiting');
      const other = await mq.run(['pipe', 'p', second], 'hello');
      const result = await one.done;
      expect([result.status, other.status]).toEqual([0, 0]);
      expect(result.out + other.out).toBe('hello');
      expect(result.err + other.err).toBe('');
    }
  });

  test('nothing at all', async ({ mq }) => {
    const script = 'mq pipe p --send < /dev/null & mq pipe p --recv | cmp - /dev/null && wait $!';
    expect(await mq.sh(script)).toMatchObject({ status: 0, err: '' });
  });

  test('1 GB of random bytes', async ({ mq }) => {
    const part = join(mq.home, 'part');
    writeFileSync(part, randomBytes(125_000_000));
    const parts = `${part} `.repeat(8);
    const script = `cat ${parts} | mq pipe p --send & mq pipe p --recv | cmp - <(cat ${parts}) && wait $!`;
    expect(await mq.sh(script)).toMatchObject({ status: 0, err: '' });
  });

  test('200 MB both ways at once', async ({ mq }) => {
    for (const name of ['a', 'b']) writeFileSync(join(mq.home, name), randomBytes(200_000_000));
    const script = `cd ${mq.home}; mq pipe p < a > from-b & mq pipe p < b > from-a && wait $! && cmp a from-a && cmp b from-b`;
    expect(await mq.sh(script)).toMatchObject({ status: 0, err: '' });
  });

  test('each can be read on the other side at once, without a newline', async ({ mq }) => {
    const [first, second] = await pair(mq);
    for (const letter of 'hello') {
      first.child.stdin?.write(letter);
      await until(() => second.out().endsWith(letter));
      second.child.stdin?.write(letter.toUpperCase());
      await until(() => first.out().endsWith(letter.toUpperCase()));
    }
    for (const { child } of [first, second]) child.stdin?.end();
    expect(await first.done).toMatchObject({ status: 0, out: 'HELLO' });
    expect(await second.done).toMatchObject({ status: 0, out: 'hello' });
  });

  test('nothing is read from standard input before the other end is there', async ({ mq }) => {
    expect((await mq.sh('echo kept | { mq pipe -q p --send -t 0.1; cat; }')).out).toBe('kept\n');
  });

  test('an endless writer against a reader that sleeps: nobody grows', async ({ mq }) => {
    const { reader, writer } = await openPipe('reader');
    const zeros = openSync('/dev/zero', 'r');
    mq.start(['pipe', 'p', '--send'], { stdin: zeros });
    mq.start(['pipe', 'p', '--recv'], { stdout: writer });
    for (const fd of [zeros, writer]) closeSync(fd);
    await untilState(mq, 'p', 'open');
    // It stands still when the buffers are full.
    let before = -1;
    await until(async () => {
      const sent = (await pipes(mq))[0]?.ends.find(({ direction }) => direction === 'send')?.sent ?? 0;
      const stands = sent > 0 && sent === before;
      before = sent;
      return stands;
    });
    expect(before).toBeLessThan(4e6);
    const ends = (await pipes(mq))[0]?.ends as End[];
    for (const pid of [mq.daemonPid() as number, ...ends.map((end) => end.pid)])
      expect(residentMegabytes(pid)).toBeLessThan(200);
    closeSync(reader);
  });
});

describe('the ends', () => {
  test('-t ends the wait with 3, and -n at once', async ({ mq }) => {
    const err = 'mq: pipe p: nobody opened the other end in time\n';
    expect(await mq.run(['pipe', 'p', '-t', '0.05'])).toMatchObject({ status: 3, err });
    expect(await mq.run(['pipe', 'p', '-n'])).toMatchObject({ status: 3, err });
    expect(await mq.run(['pipe', 'p', '-nq'])).toMatchObject({ status: 3, err: '' });
    expect(await pipes(mq)).toEqual([]);
  });

  test('a third one is refused with 75, and the name is free when both are gone', async ({ mq }) => {
    const [first, second] = await pair(mq);
    const third = await mq.run(['pipe', 'p'], '');
    expect(third.status).toBe(75);
    expect(third.err).toMatch(/^mq: pipe p: both ends of pipe p are taken\n/);
    for (const { child } of [first, second]) child.stdin?.end('x');
    for (const { done } of [first, second]) expect(await done).toMatchObject({ status: 0, out: 'x' });
    expect((await mq.run(['pipe', 'p', '-n'])).status).toBe(3);
  });

  test('one that does not fit is refused with 2, and the one that waits waits on', async ({ mq }) => {
    const kinds = [[], ['--send'], ['--recv']];
    for (const [i, mine] of kinds.entries()) {
      const first = await waiting(mq, 'p', ...mine);
      const misfits = i === 0 ? [kinds[1], kinds[2]] : [kinds[0], mine];
      for (const options of misfits as string[][])
        expect(await mq.run(['pipe', 'p', ...options], '')).toMatchObject({ status: 2 });
      first.child.stdin?.end();
      expect((await mq.run(['pipe', 'p', ...(kinds[(3 - i) % 3] as string[])], '')).status).toBe(0);
      expect((await first.done).status).toBe(0);
    }
    expect((await mq.run(['pipe', 'p', '--send', '--recv'])).status).toBe(2);
    expect((await mq.run(['pipe', '.p'])).status).toBe(2);
  });

  test('pipes and queues have separate names', async ({ mq }) => {
    await mq.run(['put', 'p', 'a message']);
    const script = 'echo some bytes | mq pipe p --send & mq pipe p --recv; mq get p; wait $!';
    expect(await mq.sh(script)).toMatchObject({ status: 0, out: 'some bytes\na message\n' });
  });

  test('closed standard input or output is refused before the other end is let in', async ({ mq }) => {
    const first = await waiting(mq, 'p');
    expect(await mq.sh('mq pipe p <&-')).toMatchObject({ status: 2 });
    expect(await mq.sh('mq pipe p >&- </dev/null')).toMatchObject({ status: 74 });
    first.child.stdin?.end();
    expect((await mq.run(['pipe', 'p'], '')).status).toBe(0);
    expect((await first.done).status).toBe(0);
  });

  test('mq ls shows who is at which pipe, and how many bytes went', async ({ mq }) => {
    await mq.run(['create', 'q']);
    const lone = await waiting(mq, 'lone', '--recv');
    const [first, second] = await pair(mq);
    first.child.stdin?.write('12345');
    await until(() => second.out() === '12345');
    expect(await pipes(mq)).toMatchObject([
      {
        name: 'lone',
        state: 'waiting',
        ends: [{ pid: lone.child.pid, direction: 'recv', sent: 0, received: 0 }],
      },
      {
        name: 'p',
        state: 'open',
        ends: [
          { pid: first.child.pid, direction: 'both', sent: 5, received: 0 },
          { pid: second.child.pid, direction: 'both', sent: 0, received: 5 },
        ],
      },
    ]);
    const rows = (await mq.run(['ls'])).out.split('\n').map((row) => row.trim().split(/ {2,}/));
    expect(rows).toEqual([
      ['NAME', 'KIND', 'WAITING', 'DELAYED', 'LEASED', 'LIMIT', 'CONSUMERS', 'STATE'],
      ['q', 'fifo', '0', '0', '0', '-', '0', 'open'],
      [''],
      ['PIPE', 'STATE', 'PID', 'DIRECTION', 'SENT', 'RECEIVED'],
      ['lone', 'waiting', String(lone.child.pid), 'recv', '0', '0'],
      ['p', 'open', String(first.child.pid), 'both', '5', '0'],
      ['p', 'open', String(second.child.pid), 'both', '0', '5'],
      [''],
    ]);
  });
});

describe('the end', () => {
  test('of input on one side is the end of output on the other, which can send on', async ({ mq }) => {
    const [first, second] = await pair(mq);
    first.child.stdin?.end('question');
    const reader = second.child.stdout as NodeJS.ReadableStream;
    await once(reader, 'end');
    expect(second.out()).toBe('question');
    second.child.stdin?.end('answer');
    expect(await first.done).toMatchObject({ status: 0, out: 'answer', err: '' });
    expect(await second.done).toMatchObject({ status: 0, err: '' });
  });

  test('of an end that is killed is told to the other by status 4, after what it had sent', async ({
    mq,
  }) => {
    const [first, second] = await pair(mq);
    first.child.stdin?.write('last words');
    await until(async () => (await pipes(mq))[0]?.ends[0]?.sent === 10);
    first.child.kill('SIGKILL');
    expect(await second.done).toMatchObject({
      status: 4,
      out: 'last words',
      err: 'mq: pipe p: the other end went away\n',
    });
    expect(await pipes(mq)).toEqual([]);
  });

  test('of a reader ends it by SIGPIPE, and its writer as in a pipe of the shell', async ({ mq }) => {
    const script = `
      { yes | mq pipe p --send; echo "\${PIPESTATUS[*]}"; } 2>&1 &
      mq pipe p --recv | head -n 1; echo "\${PIPESTATUS[*]}"
      wait`;
    const { out } = await mq.sh(script);
    expect(out.split('\n').sort()).toEqual([
      '',
      '141 0',
      '141 4',
      'mq: pipe p: the other end went away',
      'y',
    ]);
  });

  test('comes by SIGKILL again and again: the other one ends too, and the daemon holds nothing', async ({
    mq,
  }) => {
    const daemon = await waiting(mq, 'first');
    const statuses = new Set<number | undefined>();
    for (let i = 0; i < kills(10); i++) {
      const script = 'exec mq pipe p < /dev/zero > /dev/null';
      const ends = [mq.startSh(script), mq.startSh(script)] as const;
      const [victim, other] = i % 2 ? ends : [ends[1], ends[0]];
      await untilState(mq, 'p', 'open');
      // At any point of what they do.
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 50));
      victim.child.kill('SIGKILL');
      const { status, err } = await other.done;
      expect(err).toBe('mq: pipe p: the other end went away\n');
      statuses.add(status);
      await until(async () => (await pipes(mq)).length === 1);
    }
    expect([...statuses]).toEqual([4]);
    daemon.child.kill('SIGKILL');
    await until(async () => JSON.parse((await mq.run(['status', '--json'])).out).connections === 1);
    expect(await pipes(mq)).toEqual([]);
  });

  test('of the daemon ends both with 69', async ({ mq }) => {
    const [first, second] = await pair(mq);
    await mq.killDaemon();
    const err = 'mq: pipe p: the daemon went away, and the pipe with it\n';
    for (const { done } of [first, second]) expect(await done).toMatchObject({ status: 69, err });
  });

  test('of the daemon does not end who waits: it waits at the next one', async ({ mq }) => {
    const first = await waiting(mq, 'p', '--recv');
    await mq.killDaemon();
    expect((await mq.run(['pipe', 'p', '--send'], 'hello')).status).toBe(0);
    expect(await first.done).toMatchObject({ status: 0, out: 'hello' });
  });

  test('by mq stop is one with 69 for all', async ({ mq }) => {
    const [first, second] = await pair(mq);
    const lone = await waiting(mq, 'lone');
    await mq.run(['stop']);
    for (const { done } of [first, second, lone]) {
      const { status, err } = await done;
      expect(status).toBe(69);
      expect(err).toContain('the daemon was stopped');
    }
  });
});

describe('with a command', () => {
  test('its standard input and output are the end, and its status the status', async ({ mq }) => {
    const far = mq.start(['pipe', 'p', '--', 'sh', '-c', 'tr a-z A-Z; exit 7']);
    expect(await mq.run(['pipe', 'p'], 'hello\n')).toMatchObject({ status: 0, out: 'HELLO\n' });
    expect(await far.done).toMatchObject({ status: 7, out: '', err: '' });
  });

  test('--send and --recv leave it the other one of the two', async ({ mq }) => {
    const far = mq.start(['pipe', 'p', '--recv', '--', 'sed', 's/^/got /']);
    expect((await mq.run(['pipe', 'p', '--send', '--', 'cat'], 'hello\n')).status).toBe(0);
    expect(await far.done).toMatchObject({ status: 0, out: 'got hello\n' });
  });

  test('it has pipes: /dev/stdin and /dev/stdout can be opened', async ({ mq }) => {
    // Also when the last byte and the end of the input have come already.
    const script =
      'echo begun; until [ -e "$MQ_HOME/go" ]; do sleep 0.01; done; cat /dev/stdin > /dev/stdout';
    const far = mq.start(['pipe', 'p', '--', 'sh', '-c', script]);
    const near = mq.start(['pipe', 'p'], { input: 'hello\n' });
    await until(() => near.out() === 'begun\n');
    await until(async () => (await pipes(mq))[0]?.ends.some(({ received }) => received === 6) ?? false);
    writeFileSync(join(mq.home, 'go'), '');
    expect(await near.done).toMatchObject({ status: 0, out: 'begun\nhello\n' });
    expect((await far.done).status).toBe(0);
  });

  test('a command that stops reading ends the pipe: its own status, and 4 at the other end', async ({
    mq,
  }) => {
    const near = mq.sh(`yes | mq pipe p --send 2>&1; echo "\${PIPESTATUS[*]}"`);
    expect(await mq.run(['pipe', 'p', '--recv', '--', 'head', '-n', '1'])).toMatchObject({
      status: 0,
      out: 'y\n',
      err: '',
    });
    expect((await near).out).toBe('mq: pipe p: the other end takes no more\n141 4\n');
  });

  test('an end that takes no more stays until the other end has heard that', async ({ mq }) => {
    await mq.run(['start']);
    const end = mq.start(['pipe', 'p', '--recv', '--', 'head', '-n', '1']);
    const { socket, heard } = await foreign(mq, 'SEND');
    socket.write('$?\r\n;2\r\ny\n\r\n');
    await until(() => heard().includes('-CLOSED'));
    // Without a reason to stay it would end within milliseconds.
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(end.child.exitCode).toBe(null);
    socket.write(';0\r\n');
    expect(await end.done).toMatchObject({ status: 0, out: 'y\n', err: '' });
    socket.destroy();
  });

  test('what a command does not read any more is not said to be taken, be it the last', async ({ mq }) => {
    const near = await waiting(mq, 'p', '--send');
    const script = 'exec <&-; echo ready; until [ -e "$MQ_HOME/go" ]; do sleep 0.01; done';
    const far = mq.start(['pipe', 'p', '--recv', '--', 'sh', '-c', script]);
    await until(() => far.out() === 'ready\n');
    near.child.stdin?.end('last');
    expect((await near.done).status).toBe(4);
    writeFileSync(join(mq.home, 'go'), '');
    expect((await far.done).status).toBe(0);
  });

  test('when the other end is killed the command comes to the end of its input, and the status is 4', async ({
    mq,
  }) => {
    const near = await waiting(mq, 'p');
    const done = join(mq.home, 'done');
    const far = mq.start(['pipe', 'p', '--', 'sh', '-c', `cat; touch ${done}; exit 0`]);
    await untilState(mq, 'p', 'open');
    near.child.kill('SIGKILL');
    expect(await far.done).toMatchObject({ status: 4, err: 'mq: pipe p: the other end went away\n' });
    expect(readFileSync(done, 'utf8')).toBe('');
  });

  test('one that is not there is 127, one that cannot be executed 126', async ({ mq }) => {
    for (const [command, status] of [
      ['/no/such', 127],
      ['/dev/null', 126],
    ] as const) {
      // The other end is not let in for it.
      const near = await waiting(mq, 'p');
      expect((await mq.run(['pipe', 'p', '--', command])).status).toBe(status);
      near.child.stdin?.end();
      expect((await mq.run(['pipe', 'p', '--', 'cat'])).status).toBe(0);
      expect((await near.done).status).toBe(0);
    }
  });

  test('a signal that ends the command ends mq; one that mq gets goes on to the command', async ({ mq }) => {
    const near = mq.start(['pipe', 'p'], { input: '' });
    const command = 'cat; kill -KILL $$';
    expect((await mq.run(['pipe', 'p', '--', 'sh', '-c', command])).signal).toBe('SIGKILL');
    expect((await near.done).status).toBe(0);

    const first = await waiting(mq, 'p');
    const far = mq.start(['pipe', 'p', '--', 'sh', '-c', 'echo $$; exec sleep 1000']);
    await until(() => first.out().endsWith('\n'));
    far.child.kill('SIGTERM');
    expect((await far.done).signal).toBe('SIGTERM');
    expect((await first.done).status).toBe(4);
    await until(() => !isAlive(Number(first.out())));
  });
});

describe('over the protocol', () => {
  test('any client can be an end', async ({ mq }) => {
    const near = await waiting(mq, 'p');
    const { socket, heard } = await foreign(mq);
    socket.write('$?\r\n;5\r\nhe');
    await until(() => near.out() === 'he');
    socket.write('llo\r\n;0\r\n');
    near.child.stdin?.end('bye');
    // That all of it was taken, and the other's string, in whatever order.
    await until(() => heard().length === '+OK\r\n;3\r\nbye\r\n;0\r\n'.length);
    expect(heard().replace('+OK\r\n', '')).toBe(';3\r\nbye\r\n;0\r\n');
    socket.write('+OK\r\n');
    expect(await near.done).toMatchObject({ status: 0, out: 'hello' });
    socket.destroy();
  });

  test('nonsense ends the connection that it came over, and is 4 at the other end', async ({ mq }) => {
    for (const nonsense of ['*1\r\n$4\r\nPING\r\n', ';x\r\n', 'x'.repeat(5000)]) {
      const near = await waiting(mq, 'p');
      const { socket, heard } = await foreign(mq);
      socket.write(nonsense);
      await once(socket, 'close');
      expect(heard()).toContain('-SYNTAX ');
      expect((await near.done).status).toBe(4);
    }
  });
});

/** A client that knows nothing but the protocol, at the other end of pipe p; and what it hears from there on. */
async function foreign(mq: Mq, direction?: 'SEND'): Promise<{ socket: Socket; heard: () => string }> {
  const socket = connect(mq.socket);
  const answer = direction === 'SEND' ? '+OK\r\n' : '+OK\r\n$?\r\n';
  let heard = '';
  socket.on('data', (bytes) => {
    heard += bytes;
  });
  const words = ['PIPE', 'p', ...(direction ? [direction] : [])];
  socket.write(`*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`);
  await until(() => heard === answer);
  return { socket, heard: () => heard.slice(answer.length) };
}

function residentMegabytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1024;
}
