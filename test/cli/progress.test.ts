import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { type Mq, type Running, type RunOptions, seq, test, until } from './mq.ts';

const version = spawnSync('script', ['--version'], { encoding: 'utf8' });
const hasScript = version.error === undefined && version.stdout.includes('util-linux');

describe.skipIf(!hasScript)(`progress${hasScript ? '' : ' (script(1) is not that of util-linux)'}`, () => {
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
      screen: 'mq: put q: queue q is closed; 1 message was stored\r\n',
    });
  });

  test('is gone after Ctrl-C', async ({ mq }) => {
    const put = await blockedPut(mq);
    put.child.stdin?.write('\x03');
    const { status, out } = await put.done;
    expect({ status, screen: screen(out) }).toEqual({
      status: 130,
      screen: 'mq: put q: interrupted; 1 message was stored\r\n',
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

  test('nowhere but on a terminal, of a file, in the foreground, and where it is wanted', async ({ mq }) => {
    const file = join(mq.home, 'other');
    writeFileSync(file, seq(1000));
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
      await mq.run(['get', '-c', '1000', queue]);
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

/** What is left on the terminal when the lines that were cleared are cleared. */
function screen(out: string): string {
  return out.replaceAll(/^.*\x1b\[2K/gm, '');
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
