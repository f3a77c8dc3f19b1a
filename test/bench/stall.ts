import { connect } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { Client } from './client.ts';
import { BIN, ended, NODE, output, type Row, SOCKET, sh, start } from './measure.ts';
import { forgetPeak, memoryOf, scheduleOf } from './processes.ts';

/** The cost of a request: its own time and that of the others in ms, and memory in MB. */
interface Figures {
  /** Duration, without the time in which the daemon waited for a processor, which depends on the machine. */
  took: number;
  /** The longest wait of a client that asked something every 10 ms. */
  wait: number;
  /** The longest work of the daemon while that client waited. */
  work: number;
  /** Memory of the daemon beyond that before: at its peak, and a second after the end. */
  peak: number;
  left: number;
}

const UNITS = { took: 'ms', wait: 'ms', work: 'ms', peak: 'MB', left: 'MB' } as const;
const TITLES = {
  took: '',
  wait: '  longest wait of another',
  work: "  longest work of the daemon's meanwhile",
  peak: '  more memory, at most',
  left: '  more memory, after it',
} as const;

/** One row for each figure that has a limit. */
export function stall(
  name: string,
  what: string,
  limits: Partial<Figures>,
  prepare: () => Promise<unknown>,
  act: () => Promise<unknown>,
): Row[] {
  let figures: Figures | undefined;
  return (Object.entries(limits) as [keyof Figures, number][]).map(([key, most]) => ({
    name: key === 'took' ? name : `${name}-${key}`,
    what: key === 'took' ? what : TITLES[key],
    peer: '',
    unit: UNITS[key],
    rounds: 1,
    most,
    mq: async () => {
      if (figures === undefined) {
        await prepare();
        figures = await measured(act);
      }
      return figures[key];
    },
  }));
}

/** The mean work of the daemon in ms for `act`, over `n` times. */
export async function workOf(n: number, act: () => Promise<unknown>): Promise<number> {
  const pid = daemonPid();
  const { run } = scheduleOf(pid);
  for (let i = 0; i < n; i++) await act();
  return (scheduleOf(pid).run - run) / n;
}

export function open(): Client {
  return new Client(SOCKET);
}

/** Calls `ask` with a connection of its own. */
export async function asking<T>(ask: (connection: Client) => Promise<T>): Promise<T> {
  const connection = open();
  try {
    return await ask(connection);
  } finally {
    connection.destroy();
  }
}

/** Makes a new store. */
export async function anew(): Promise<void> {
  await sh('"$mq" stop; rm -f home/mq.db*; "$mq" create asked');
}

/** Writes requests as fast as the daemon reads them; fulfilled when all are answered with a line. */
export function write(count: number, request: (i: number) => string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(SOCKET);
    let answers = 0;
    let asked = 0;
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      for (const byte of chunk) if (byte === 0x0a) answers += 1;
      if (answers < count) return;
      socket.destroy();
      resolve();
    });
    const more = () => {
      while (asked < count) {
        let text = '';
        for (let i = 0; i < 500 && asked < count; i++) text += request(asked++);
        if (!socket.write(text)) return void socket.once('drain', more);
      }
    };
    more();
  });
}

export function frame(...words: string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
}

async function measured(act: () => Promise<unknown>): Promise<Figures> {
  const pid = daemonPid();
  const asker = start(NODE, [fileURLToPath(new URL('./asker.ts', import.meta.url)), SOCKET, `${pid}`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const said = lines(asker.stdout as Readable);
  await said.next();
  const before = memoryOf(pid).now;
  forgetPeak(pid);
  const [{ delay }, begun] = [scheduleOf(pid), performance.now()];
  await act();
  const took = performance.now() - begun - (scheduleOf(pid).delay - delay);
  (asker.stdin as Writable).end();
  const { value } = await said.next();
  await ended(asker, 'asker');
  const { peak } = memoryOf(pid);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  return { took, ...JSON.parse(value as string), peak: peak - before, left: memoryOf(pid).now - before };
}

async function* lines(stream: Readable): AsyncGenerator<string, undefined> {
  for await (const chunk of stream) yield String(chunk);
  return undefined;
}

function daemonPid(): number {
  return (JSON.parse(output(BIN, 'status', '--json')) as { pid: number }).pid;
}
