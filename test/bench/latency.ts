import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { BIN, call, folder, median, NODE, output, QUICK, type Row, SOCKET, start, until } from './measure.ts';

const ECHO = `require('node:net').createServer((socket) => socket.pipe(socket)).listen(process.argv[2]);`;

/** Time from a put over an open connection until a waiting `mq get -f` has printed the message, one by one. */
export function latency(): Row[] {
  const n = QUICK ? 100 : 500;
  const row = {
    what: 'put over an open socket to line of mq get -f',
    unit: 'ms',
    rounds: 3,
    prepare: async () => {
      await call(BIN, 'create', 'l');
    },
    mq: () => measureMq(n),
  } as const;
  return [
    { ...row, name: 'latency', peer: '', most: 1 },
    {
      ...row,
      name: 'latency-echo',
      peer: 'echo over a Unix socket',
      other: () => measureEcho(n),
      most: 4,
    },
  ];
}

async function measureMq(n: number): Promise<number> {
  const get = start(BIN, ['get', '-f', 'l'], { stdio: ['ignore', 'pipe', 'inherit'] });
  await until(() => isWaiting());
  const socket = connect(SOCKET);
  socket.on('data', () => {});
  const printed = () => once(get.stdout as NodeJS.ReadableStream, 'data');
  const put = () => socket.write('*3\r\n$3\r\nPUT\r\n$1\r\nl\r\n$5\r\nhello\r\n');
  try {
    return await times(n, put, printed);
  } finally {
    socket.destroy();
    get.kill('SIGINT');
    await once(get, 'exit');
  }
}

function isWaiting(): boolean {
  return output(BIN, 'ls', '--json')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
    .some(({ name, consumers }) => name === 'l' && consumers > 0);
}

async function measureEcho(n: number): Promise<number> {
  const path = join(folder, `echo${Math.random()}.sock`);
  writeFileSync(join(folder, 'echo.cjs'), ECHO);
  const server = start(NODE, ['echo.cjs', path]);
  const socket = await connected(path);
  try {
    return await times(
      n,
      () => socket.write('hello\n'),
      () => once(socket, 'data'),
    );
  } finally {
    socket.destroy();
    server.kill();
  }
}

async function times(n: number, send: () => void, received: () => Promise<unknown>): Promise<number> {
  const taken: number[] = [];
  for (let i = 0; i < n; i++) {
    const arrival = received();
    const begun = performance.now();
    send();
    await arrival;
    taken.push(performance.now() - begun);
  }
  return median(taken);
}

async function connected(path: string): Promise<Socket> {
  for (;;) {
    const socket = connect(path);
    try {
      await once(socket, 'connect');
      return socket;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
