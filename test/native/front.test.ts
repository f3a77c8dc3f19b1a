import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { PROTOCOL, VERSION } from '../../src/version.ts';
import { BIN, type Mq, test, until } from '../cli/mq.ts';

const { MQ_FRONT: _, ...withFront } = process.env;
const hasFront = await says(BIN, ['--version'], { ...withFront }).then(({ out }) =>
  out.includes('(native front)'),
);
const whyNot = hasFront ? '' : ' (none was built: no C compiler)';

const NOBODY = 65534;

describe.skipIf(!hasFront)(`the native front${whyNot}`, () => {
  test('is told by --version, and MQ_FRONT=0 goes without', async ({ mq }) => {
    const version = async (MQ_FRONT: string) =>
      (await mq.run(['--version'], '', { env: { ...mq.env, MQ_FRONT } })).out;
    expect(await version('')).toBe(`mq ${VERSION} (native front)\n`);
    expect(await version('0')).toBe(`mq ${VERSION} (no native front)\n`);
  });

  test('is what waits, and takes next to no memory', async ({ mq }) => {
    await mq.run(['create', 'q']);
    const get = mq.start(['get', 'q'], { env: frontOf(mq) });
    await mq.untilConsumers('q', 1);
    expect(readlinkSync(`/proc/${get.child.pid}/exe`)).toMatch(/mq-front$/);
    const [, kilobytes] =
      /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${get.child.pid}/smaps_rollup`, 'latin1')) ?? [];
    expect(Number(kilobytes)).toBeLessThan(1024);
    await mq.run(['put', 'q', 'a']);
    expect(await get.done).toMatchObject({ status: 0, out: 'a\n', err: '' });
  });

  test.for([0, 1, 65_535, 65_536, 65_537, 200_000])(
    'standard input of %i bytes arrives as it is',
    async (size, { mq }) => {
      await mq.run(['start']);
      const input = Buffer.alloc(size, 'x');
      for (let at = 700; at < size; at += 1001) input[at] = at % 2 === 0 ? 0x0a : 0;
      const env = frontOf(mq);
      for (const how of [[], ['-0'], ['-w']]) {
        expect(await mq.run(['put', ...how, 'q'], input, { env })).toMatchObject({ status: 0, err: '' });
        const ends = how[0] === '-w' || size === 0 ? [] : [how[0] === '-0' ? 0 : 0x0a];
        const { stdout } = await mq.run(['get', '-aq', ...how, 'q'], undefined, { env });
        expect(stdout.equals(Buffer.concat([input, Buffer.from(ends)])), how.join()).toBe(true);
      }
    },
  );

  test('who puts line by line is heard line by line', async ({ mq }) => {
    await mq.run(['create', 'q']);
    const put = mq.start(['put', 'q'], { open: true, env: frontOf(mq) });
    put.child.stdin?.write('a\nb');
    await until(async () => (await mq.size('q')) === 1);
    put.child.stdin?.end('c\n');
    expect(await put.done).toMatchObject({ status: 0, err: '' });
    expect((await mq.run(['get', '-a', 'q'])).out).toBe('a\nbc\n');
  });

  test('-t counts from the beginning of the command, also where it becomes Node', async ({ mq }) => {
    await mq.run(['create', 'q', '--maxsize', '1']);
    const put = mq.start(['put', '-t', '3', 'q'], { open: true, env: frontOf(mq) });
    // Half of its time is over when it becomes Node.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const later = mq.start(['get', '-t', '3', 'empty'], { env: frontOf(mq) });
    put.child.stdin?.write('a\n');
    await until(async () => (await mq.size('q')) === 1);
    put.child.stdin?.write('b\n');
    expect((await put.done).status).toBe(3);
    expect(later.child.exitCode).toBe(null);
  });

  test('of many that wait when the daemon dies, one starts the next', async ({ mq }) => {
    await mq.run(['create', 'q']);
    const gets = Array.from({ length: 40 }, () => mq.start(['get', 'q'], { env: frontOf(mq) }));
    await mq.untilConsumers('q', gets.length);
    await mq.killDaemon();
    await until(() => mq.log.match(/serves/g)?.length === 2);
    await mq.untilConsumers('q', gets.length);
    await mq.run(['put', 'q'], 'x\n'.repeat(gets.length));
    for (const { done } of gets) expect(await done).toMatchObject({ status: 0, out: 'x\n', err: '' });
    expect(mq.log.match(/serves/g)?.length).toBe(2);
  });

  test('a signal between the write and the word is held until the word is said', async ({ mq }) => {
    const daemon = await answering(mq, (request, answer) => {
      if (request.includes('DONE')) {
        get.child.kill('SIGTERM');
        setTimeout(() => answer(':1\r\n'), 200);
      } else answer('*1\r\n*7\r\n:5\r\n:1\r\n:0\r\n:1\r\n:1\r\n:1\r\n$7\r\n$1\r\na\r\n\r\n');
    });
    const get = mq.start(['get', 'q'], { env: frontOf(mq) });
    expect(await get.done).toMatchObject({ status: 0, out: 'a\n', err: '' });
    await new Promise((resolve) => daemon.close(resolve));
  });

  test('a second signal ends it all the same', async ({ mq }) => {
    let kills = 0;
    const daemon = await answering(mq, (request, answer) => {
      if (!request.includes('DONE'))
        return answer('*1\r\n*7\r\n:5\r\n:1\r\n:0\r\n:1\r\n:1\r\n:1\r\n$7\r\n$1\r\na\r\n\r\n');
      const timer = setInterval(() => get.child.kill(kills++ % 2 === 0 ? 'SIGTERM' : 'SIGINT'), 50);
      void get.done.then(() => clearInterval(timer));
    });
    const get = mq.start(['get', 'q'], { env: frontOf(mq) });
    expect(await get.done).toMatchObject({ signal: 'SIGTERM', out: 'a\n' });
    await new Promise((resolve) => daemon.close(resolve));
  });

  test('a daemon that hangs with a done is given up on: 79', { timeout: 60_000 }, async ({ mq }) => {
    const daemon = await answering(
      mq,
      () => {},
      () => {},
    );
    const env = { ...frontOf(mq), MQ_NO_START: '1' };
    expect(await mq.run(['done', 'q', '1.a'], '', { env })).toMatchObject({
      status: 79,
      err: 'mq: done q: the daemon does not answer: it is not known whether it was done\n',
    });
    daemon.closeAllConnections();
    await new Promise((resolve) => daemon.close(resolve));
  });

  test.skipIf(process.getuid?.() !== 0)('a daemon of another user is none (77)', async ({ mq }) => {
    const folder = mkdtempSync(join(tmpdir(), 'mq-other-'));
    chmodSync(folder, 0o777);
    const socket = join(folder, 'sock');
    const script = `require('net').createServer(() => {}).listen(process.argv[1], () => console.log('listens'))`;
    const other = spawn('/bin/sh', ['-c', 'exec "$0" -e "$1" "$2"', '/usr/bin/node', script, socket], {
      uid: NOBODY,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => other.stdout?.once('data', resolve));
    chownSync(socket, 0, 0);
    const result = await mq.run(['put', 'q', 'a'], '', { env: { ...frontOf(mq), MQ_SOCKET: socket } });
    await ended(other);
    rmSync(folder, { recursive: true });
    expect(result).toMatchObject({
      status: 77,
      err: expect.stringContaining(`another user (uid ${NOBODY})`),
    });
  });
});

function frontOf(mq: Mq): NodeJS.ProcessEnv {
  return { ...mq.env, MQ_FRONT: '' };
}

async function says(command: string, args: string[], env: NodeJS.ProcessEnv): Promise<{ out: string }> {
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'ignore'] });
  let out = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  await new Promise((resolve) => child.on('close', resolve));
  return { out };
}

async function ended(child: ChildProcess): Promise<void> {
  const end = new Promise((resolve) => child.once('exit', resolve));
  child.kill();
  await end;
}

/** A daemon that greets as mq does, and answers as it is told; `probe` is what it does with a greeting of nobody. */
async function answering(
  mq: Mq,
  receive: (request: string, answer: (text: string) => void) => void,
  probe?: () => void,
): Promise<Server & { closeAllConnections: () => void }> {
  const sockets = new Set<{ destroy: () => void }>();
  const greeting = `%3\r\n+server\r\n$2\r\nmq\r\n+version\r\n$${VERSION.length}\r\n${VERSION}\r\n+max_message\r\n:${PROTOCOL}000\r\n`;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      const request = chunk.toString();
      if (!request.includes('HELLO')) receive(request, (text) => socket.write(text));
      else if (request.includes('MQ') || probe === undefined) socket.write(greeting);
      else probe();
    });
  });
  mkdirSync(mq.home, { recursive: true });
  await new Promise<void>((resolve) => server.listen(mq.socket, resolve));
  return Object.assign(server, {
    closeAllConnections: () => {
      for (const socket of sockets) socket.destroy();
    },
  });
}
