import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { type Mq, type Running, type RunOptions, seq, test, until } from './mq.ts';

const version = spawnSync('script', ['--version'], { encoding: 'utf8' });
const hasScript = version.error === undefined && version.stdout.includes('util-linux');

const title = `progress${hasScript ? '' : ' (script(1) is not that of util-linux)'}`;

// Each waits for what is shown after a second.
describe.skipIf(!hasScript)(title, { concurrent: true }, () => {
  test('of a long put; at the end nothing is left of it', async ({ mq }) => {
    const put = await blockedPut(mq);
    await mq.run(['get', '-c', '100', 'q']);
    const { status, out } = await put.done;
    expect({ status, screen: screen(out) }).toEqual({ status: 0, screen: '' });
    expect(out).toContain('--------------------   0%  0 B of 292 B  0 B/s');
    expect(out).not.toContain(HIDDEN_CURSOR);
  });

  test('of a long get -a into a file', async ({ mq }) => {
    await mq.run(['put', 'q'], seq(1000));
    const { socket, letGo } = await holdGets(mq);
    const file = join(mq.home, 'out');
    const get = onTerminal(mq, `mq get -a q > ${file}`, { MQ_SOCKET: socket });
    await untilShown(get);
    letGo();
    const { status, out } = await get.done;
    expect({ status, screen: screen(out) }).toEqual({ status: 0, screen: '' });
    expect(out).toContain('   0%  0 of 1000 messages  0/s');
    expect(readFileSync(file, 'utf8')).toBe(seq(1000));
  });

  test('is gone before an error is told', async ({ mq }) => {
    const put = await blockedPut(mq);
    await mq.run(['close', 'q']);
    const { status, out } = await put.done;
    expect({ status, screen: screen(out) }).toEqual({
      status: 4,
      screen: 'mq: put q: queue q is closed; 1 message was stored\nmq open q lets messages in again.\n',
    });
  });

  test('is gone after Ctrl-C', async ({ mq }) => {
    const put = await blockedPut(mq);
    put.child.stdin?.write('\x03');
    const { status, out } = await put.done;
    expect({ status, screen: screen(out) }).toEqual({
      status: 130,
      screen: 'mq: put q: interrupted; 1 message was stored\n',
    });
    expect(out).not.toContain(HIDDEN_CURSOR);
  });

  test('is gone when a daemon hangs, and a second signal ends the command', async ({ mq }) => {
    const put = await blockedPut(mq);
    const daemon = mq.daemonPid() as number;
    process.kill(daemon, 'SIGSTOP');
    try {
      put.child.stdin?.write('\x03');
      await until(() => screen(put.out()) === '');
      put.child.stdin?.write('\x03');
      expect((await put.done).status).toBe(130);
    } finally {
      process.kill(daemon, 'SIGCONT');
    }
  });

  test.for([
    ['several at a time', '-j 2', 'echo "a $1"; echo "b $1" >&2'],
    ['that go on with a line', '-j 2', 'printf "a %s" "$1"; sleep 0.3; echo; echo "b $1"'],
    ['one at a time, whose output is kept', '--into out', 'echo "a $1" >&2; echo "b $1" >&2; echo out'],
  ])(
    'of mq work --drain is not mixed up with what commands print: %s',
    async ([, options, script], { mq }) => {
      await mq.run(['put', 'q', '1', '2', '3', '4', '5', '6']);
      const [print, go] = ['print', 'go'].map((name) => join(mq.home, name)) as [string, string];
      writeFileSync(print, `until [ -e ${go} ]; do sleep 0.05; done\n${script}`);
      const work = onTerminal(mq, `mq work q --drain ${options} -- sh ${print} {}`);
      await untilShown(work);
      writeFileSync(go, '');
      const { status, out } = await work.done;
      const rows = screen(out).split('\n');
      expect({ status, last: rows.pop() }).toEqual({ status: 0, last: '' });
      if (script?.includes('printf')) expect(rows.join('').match(/a \d/g)).toHaveLength(6);
      else expect(rows.sort()).toEqual([1, 2, 3, 4, 5, 6].flatMap((n) => [`a ${n}`, `b ${n}`]).sort());
    },
  );

  test('one command at a time of mq work has the terminal, and no progress beside it', async ({ mq }) => {
    await mq.run(['put', 'q', 'x']);
    const { status, out } = await onTerminal(
      mq,
      `mq work q --drain -- sh -c 'sleep 1.5; test -t 1 && test -t 2'`,
    ).done;
    expect({ status, out }).toEqual({ status: 0, out: '' });
  });

  test('a pipe that prints on the terminal shows none', async ({ mq }) => {
    const file = join(mq.home, 'in');
    writeFileSync(file, seq(3));
    const other = mq.start(['pipe', 'p', '--', 'sh', '-c', 'sleep 1.5; cat']);
    const { out } = await onTerminal(mq, `mq pipe p < ${file}`).done;
    expect(screen(out)).toBe(seq(3));
    expect(out).not.toMatch(PERCENTAGE);
    await other.done;
  });

  test('nowhere but on a terminal, of a file, in the foreground, and where it is wanted', async ({ mq }) => {
    const file = join(mq.home, 'other');
    writeFileSync(file, seq(100));
    for (const queue of ['quiet', 'dumb', 'pipe', 'redirected', 'job'])
      await mq.run(['create', queue, '--maxsize', '1']);
    const silent: [queue: string, put: Running][] = [
      ['quiet', onTerminal(mq, `mq put -q quiet < ${file}`)],
      ['dumb', onTerminal(mq, `mq put dumb < ${file}`, { TERM: 'dumb' })],
      ['pipe', onTerminal(mq, `cat ${file} | mq put pipe`)],
      ['redirected', mq.startSh(`mq put redirected < ${file}`, { env: { TERM: 'xterm' } })],
      ['job', onTerminal(mq, `bash -mc 'mq put job < ${file} & wait'`)],
    ];
    for (const [queue] of silent) await until(async () => (await mq.size(queue)) === 1);
    // They have been at it for longer than this one when it shows something.
    await blockedPut(mq);
    for (const [queue, put] of silent) {
      await mq.run(['get', '-c', '100', queue]);
      const { status, out, err } = await put.done;
      expect({ status, shown: PERCENTAGE.test(out + err) }, queue).toEqual({ status: 0, shown: false });
    }
  });
});

const PERCENTAGE = /\d%/;
const HIDDEN_CURSOR = '\x1b[?25l';

/** Runs a script on a terminal, whose keyboard is `child.stdin`. */
function onTerminal(mq: Mq, script: string, env: NodeJS.ProcessEnv = {}): Running {
  const options: RunOptions = {
    open: true,
    env: { TERM: 'xterm', SHELL: '/bin/sh', SCRIPT: script, ...env },
  };
  return mq.startSh('exec script -qec "$SCRIPT" /dev/null', options);
}

/** A put from a file of 100 lines into queue q, which has room for one; its progress is shown. */
async function blockedPut(mq: Mq): Promise<Running> {
  const file = join(mq.home, 'in');
  writeFileSync(file, seq(100));
  await mq.run(['create', 'q', '--maxsize', '1']);
  const put = onTerminal(mq, `mq put q < ${file}`);
  await untilShown(put);
  return put;
}

async function untilShown(command: Running): Promise<void> {
  await until(() => PERCENTAGE.test(command.out()));
}

/** The text on a terminal to which this was written. */
function screen(out: string): string {
  const rows = [''];
  let column = 0;
  for (const [part] of out.matchAll(/\r|\n|\x1b\[2?K|[^\r\n\x1b]+/g)) {
    const row = rows.at(-1) as string;
    if (part === '\r') column = 0;
    else if (part === '\n') rows.push(' '.repeat(column));
    else if (part === '\x1b[K') rows[rows.length - 1] = row.slice(0, column);
    else if (part === '\x1b[2K') rows[rows.length - 1] = '';
    else {
      rows[rows.length - 1] = row.padEnd(column).slice(0, column) + part + row.slice(column + part.length);
      column += part.length;
    }
  }
  return rows.map((row) => row.trimEnd()).join('\n');
}

/** A socket that passes everything on to the daemon, but GET not before it is let go. */
async function holdGets(mq: Mq): Promise<{ socket: string; letGo: () => void }> {
  let held: (() => void)[] | undefined = [];
  const server = createServer((client) => {
    const daemon = connect(mq.socket);
    daemon.pipe(client);
    client.on('end', () => daemon.end());
    client.on('data', (bytes) => {
      const pass = () => daemon.write(bytes);
      if (held && bytes.includes('GET')) held.push(pass);
      else pass();
    });
  });
  const socket = join(mq.home, 'held.sock');
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return {
    socket,
    letGo: () => {
      server.close();
      for (const pass of held ?? []) pass();
      held = undefined;
    },
  };
}
