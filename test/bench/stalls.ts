import { connect } from 'node:net';
import { Reader } from '../../src/protocol/reader.ts';
import type { Request } from '../../src/protocol/requests.ts';
import type { Value } from '../../src/protocol/values.ts';
import type { Range } from '../../src/range.ts';
import type { Client } from './client.ts';
import { QUICK, type Row, SOCKET, sh } from './measure.ts';
import { anew, asking, frame, open, stall, workOf, write } from './stall.ts';

/**
 * No client is held up: whatever one asks for, the others have their turn. The rows show each request that
 * can be long beside its limits, or beside the same request under less load.
 */
export function stalls(): Row[] {
  return [...looks(), ...waiters(), ...moves(), ...lists(), ...leases(), ...others(), ...large()];
}

/** Limits that hold for any request, in ms. */
const TURN = { wait: 50, work: 50 };

const MANY = QUICK ? 5000 : 20_000;
const LEASES = QUICK ? 20_000 : 100_000;

/** SIZE, EMPTY, FULL and STAT cost the same however many messages wait. */
function looks(): Row[] {
  const look = () =>
    asking(async (connection) => {
      for (const verb of ['SIZE', 'EMPTY', 'FULL', 'STAT'] as const)
        await connection.ask({ verb, queue: 'q' });
    });
  const row = (name: string, what: string, prepare: () => Promise<unknown>): Row => ({
    name: `stalls-look-${name}`,
    what: `SIZE, EMPTY, FULL, STAT: ${what}`,
    peer: '',
    unit: 'ms',
    rounds: 3,
    most: 1,
    prepare: async () => {
      await anew();
      await prepare();
    },
    mq: async () => (await workOf(10, look)) / 4,
  });
  return [
    row('delayed', `one behind ${MANY} delayed`, async () => {
      await write(MANY, () => frame('PUT', 'DELAY', '3600000', 'q', 'x'));
      await putOne();
    }),
    row('priorities', `${MANY} priorities`, async () => {
      await sh('"$mq" create q --kind priority');
      await write(MANY, (i) => frame('PUT', 'PRIORITY', `${MANY - i}`, 'q', 'x'));
    }),
    row('leased', `one behind ${MANY} on lease`, async () => {
      await write(MANY, () => frame('PUT', 'q', 'x'));
      await asking((connection) => lease(connection, 'q', MANY));
      await putOne();
      await sh('"$mq" stop; "$mq" create asked');
    }),
  ];
}

/** Clients that wait cost nothing to others. */
function waiters(): Row[] {
  const n = QUICK ? 50 : 200;
  let waiting: Client[] = [];
  const wait = async (count: number, question: Request) => {
    for (const each of waiting) each.destroy();
    waiting = Array.from({ length: count }, open);
    for (const each of waiting) each.ask(question).catch(() => {});
    await Promise.all(waiting.map((each) => each.isConnected));
    // Messages of closed connections come back in this time, and the new requests begin to wait.
    await new Promise((resolve) => setTimeout(resolve, 500));
  };
  const put = () => write(1, () => frame('PUT', 'q', 'x'));
  const get = () => asking((connection) => connection.ask({ ...GET, queues: ['q'], count: 1 }));
  const join = { verb: 'JOIN', queue: 'q', timeout: Infinity } as const;
  const idle = { ...GET, queues: ['w'], timeout: Infinity, hold: true };
  const ratio = (name: string, what: string, peer: string): Omit<Row, 'mq'> => ({
    name: `stalls-${name}`,
    what,
    peer,
    unit: 'ms',
    rounds: 3,
    most: 1.5,
  });
  const queue = async () => {
    await anew();
    await write(MANY, () => frame('PUT', 'DELAY', '3600000', 'q', 'x'));
    await write(n * 10, () => frame('PUT', 'q', 'x'));
  };
  const wakeUp = async (question: Request) => {
    await wait(0, join);
    await sh('"$mq" rm --force w 2>/dev/null || :');
    await wait(300, question);
    return workOf(100, () => write(1, () => frame('PUT', 'w', 'x')));
  };
  const list = () => asking((connection) => connection.ask({ verb: 'LS', after: undefined, count: 500 }));
  return [
    {
      ...ratio('join', 'daemon: a PUT while a JOIN waits', 'without'),
      prepare: queue,
      mq: () => wait(1, join).then(() => workOf(n, put)),
      other: () => wait(0, join).then(() => workOf(n, put)),
    },
    {
      ...ratio('joins', 'daemon: a GET while 51 JOINs wait', 'without'),
      prepare: queue,
      mq: () => wait(51, join).then(() => workOf(n, get)),
      other: () => wait(0, join).then(() => workOf(n, get)),
    },
    {
      ...ratio('workers', 'daemon: a PUT and 300 GETs with UNTIL', '300 GETs'),
      prepare: async () => {
        await wait(0, join);
        await anew();
      },
      mq: () => wakeUp({ ...idle, lease: 60_000, until: 'finished' }),
      other: () => wakeUp({ ...idle, lease: 60_000 }),
    },
    {
      ...ratio('ls-leases', 'daemon: LS while one has 10,000 leases', 'without'),
      prepare: async () => {
        await wait(0, join);
        await anew();
        await write(500, (i) => frame('PUT', `ls${i}`, 'x'));
        await write(10_000, () => frame('PUT', 'q', 'x'));
      },
      mq: async () => {
        const connection = open();
        waiting = [connection];
        await lease(connection, 'q', 10_000, true);
        return workOf(20, list);
      },
      other: async () => {
        await wait(0, join);
        await sh('"$mq" size q >/dev/null');
        return workOf(20, list);
      },
    },
  ];
}

function moves(): Row[] {
  const [ones, lines] = QUICK ? [30_000, 1_000_000] : [300_000, 10_000_000];
  const move = () =>
    asking((connection) => connection.ask({ verb: 'MOVE', queue: 'q', to: 'to', count: undefined }));
  return [
    ...stall(
      'stalls-move',
      `move of ${ones} messages put one by one`,
      { took: 2000, ...TURN, peak: 50 },
      () => anew().then(() => write(ones, (i) => frame('PUT', 'q', `message ${i}`))),
      move,
    ),
    ...stall(
      'stalls-move-lines',
      `move of ${lines} lines`,
      { took: 20_000, ...TURN, peak: 50 },
      () => anew().then(() => sh(`seq -f 'message %11.0f' ${lines} | "$mq" put q`)),
      move,
    ),
  ];
}

/** Other requests that can be large. */
function others(): Row[] {
  const prepare = () => anew().then(() => write(LEASES, () => frame('PUT', 'q', 'x')));
  const row = (name: string, what: string, act: () => Promise<unknown>, before = prepare) =>
    stall(`stalls-${name}`, what, TURN, before, act);
  const ask = (request: Request) => () => asking((connection) => connection.ask(request));
  const until = (size: number) =>
    asking(async (connection) => {
      while ((await connection.ask({ verb: 'SIZE', queue: 'q' })) !== size)
        await new Promise((resolve) => setTimeout(resolve, 100));
    });
  return [
    ...row('purge', `PURGE of ${LEASES} put one by one`, ask({ verb: 'PURGE', queue: 'q' })),
    ...row('rm', `RM of ${LEASES} put one by one`, ask({ verb: 'RM', queue: 'q', force: true })),
    ...row('close', `CLOSE NOW of ${LEASES} put one by one`, ask({ verb: 'CLOSE', queue: 'q', now: true })),
    ...row('peek', `PEEK of ${LEASES} put one by one`, ask({ verb: 'PEEK', queue: 'q', count: LEASES })),
    ...row('get', `GET HOLD of ${LEASES}, and DONE of all ids in one request`, () =>
      asking(async (connection) => {
        const ids: Range[] = [];
        for (let left = LEASES; left > 0; ) {
          const asked = { ...GET, queues: ['q'], count: left, hold: true };
          for (const [id, , , , , bodies] of (await connection.ask(asked)) as [number, ...Value[]][]) {
            ids.push({ first: id, last: id });
            left -= (bodies as Value[]).length;
          }
        }
        await connection.ask({ verb: 'DONE', queue: 'q', ids, leases: [] });
      }),
    ),
    ...row('leave', `the end of a connection with ${LEASES} leases`, async () => {
      await asking((connection) => lease(connection, 'q', LEASES, true));
      await until(LEASES);
    }),
    ...row(
      'expire',
      `the end of ${LEASES} put one by one`,
      () => until(0),
      () => anew().then(() => write(LEASES, () => frame('PUT', 'TTL', '8000', 'q', 'x'))),
    ),
    ...row('pipelined', `${LEASES} SIZEs at once on one connection`, () =>
      write(LEASES, () => frame('SIZE', 'q')),
    ),
    ...row('words', `PUT of 5,000,000 messages in one request`, () => {
      const count = 5_000_000;
      const frame = [`*${count + 2}\r\n$3\r\nPUT\r\n$1\r\nq\r\n`, Buffer.from('$1\r\nx\r\n'.repeat(count))];
      return exchange(frame, ':5000000\r\n'.length);
    }),
  ];
}

function lists(): Row[] {
  const n = QUICK ? 20_000 : 200_000;
  const prepare = () => anew().then(() => write(n, (i) => frame('PUT', `queue${i}`, 'x')));
  return [
    ...stall('stalls-ls', `LS of ${n} queues`, { took: 3000, ...TURN, peak: 150 }, prepare, () =>
      asking((connection) => connection.request({ verb: 'LS', after: undefined, count: undefined })),
    ),
    ...stall('stalls-mq-ls', `mq ls of ${n} queues`, { took: 3000, ...TURN, peak: 50 }, prepare, () =>
      sh(`test "$("$mq" ls | wc -l)" -gt ${n}`),
    ),
  ];
}

function leases(): Row[] {
  let taken: string[] = [];
  const prepare = () => anew().then(() => write(LEASES, () => frame('PUT', 'q', 'x')));
  const settle = (request: object) => () =>
    asking((connection) => connection.ask({ queue: 'q', leases: taken, ...request } as never));
  const row = (name: string, act: () => Promise<unknown>, before: () => Promise<unknown> = async () => {}) =>
    stall(
      `stalls-${name}`,
      `${name.toUpperCase()} of ${LEASES} in one request`,
      { took: 3000, ...TURN },
      before,
      act,
    );
  const take = async () => {
    taken = await asking((connection) => lease(connection, 'q', LEASES));
  };
  return [
    ...row('lease', take, prepare),
    ...row('extend', settle({ verb: 'EXTEND', duration: 3600e3 })),
    ...row('return', settle({ verb: 'RETURN' })),
    ...row('fail', settle({ verb: 'FAIL', delay: 0 }), take),
    ...row('done', settle({ verb: 'DONE', ids: [] }), take),
  ];
}

/** More large messages at once than the daemon may hold in memory. */
function large(): Row[] {
  const [n, size] = QUICK ? [10, 64] : [20, 64];
  const megabytes = size * 1024 * 1024;
  const head = `*3\r\n$3\r\nPUT\r\n$1\r\nq\r\n$${megabytes}\r\n`;
  const body = Buffer.alloc(megabytes, 'x');
  const put = () => exchange([head, body, '\r\n'], ':1\r\n'.length);
  const get = () => exchange([frame('GET', 'q')], megabytes);
  const all = (act: () => Promise<void>) => () => Promise.all(Array.from({ length: n }, act));
  const limits = { took: 30_000, ...TURN, peak: 256, left: 50 };
  return [
    ...stall('stalls-large-put', `${n} messages of ${size} MiB put at once`, limits, anew, all(put)),
    ...stall('stalls-large-get', 'the same, got at once', limits, async () => {}, all(get)),
  ];
}

/** Sends these chunks over a connection of its own, and reads at least this many bytes. */
async function exchange(chunks: (string | Buffer)[], least: number): Promise<void> {
  const socket = connect(SOCKET);
  for (const chunk of chunks) socket.write(chunk);
  let read = 0;
  for await (const chunk of socket) {
    read += (chunk as Buffer).length;
    if (read >= least) break;
  }
  socket.destroy();
}

const GET = { verb: 'GET', timeout: 0, count: undefined, hold: false } as const;

/** Takes this many messages on lease; returns the leases. */
async function lease(connection: Client, queue: string, count: number, hold = false): Promise<string[]> {
  const leases: string[] = [];
  while (leases.length < count) {
    const asked = { ...GET, queues: [queue], count: count - leases.length, lease: 3600e3, hold };
    const runs = new Reader(await connection.request(asked)).read() as Value[][] | null;
    if (runs === null) throw new Error(`only ${leases.length} messages of ${count}`);
    for (const run of runs) for (const token of run.at(-1) as Value[]) leases.push(String(token));
  }
  return leases;
}

function putOne(): Promise<void> {
  return write(1, () => frame('PUT', 'q', 'x'));
}
