import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Budget } from '../../src/daemon/budget.ts';
import type { Daemon } from '../../src/daemon/handler.ts';
import type { Pipes } from '../../src/daemon/pipes.ts';
import { Session } from '../../src/daemon/session.ts';
import { pack } from '../../src/packed.ts';
import { encodeRequest } from '../../src/protocol/encode-request.ts';
import { FrameScanner } from '../../src/protocol/frames.ts';
import { Reader } from '../../src/protocol/reader.ts';
import type { Request } from '../../src/protocol/requests.ts';
import type { Value } from '../../src/protocol/values.ts';
import { Queues } from '../../src/queue/queues.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import type { QueueState } from '../../src/store/queue-state.ts';
import { SqliteStore } from '../../src/store/sqlite/sqlite.ts';
import { packed } from '../store/messages.ts';
import { until } from '../until.ts';

/** Requests that are answered before a sync of the store has ended, and those that are not. */
describe('a session, while the store is synced', () => {
  let folder: string;
  let queues: Queues;
  let server: Server;
  /** Ends the syncs that are under way, and those that follow. */
  let endSync: (error?: Error) => void;
  const anHourAhead = () => Date.now() + 3600e3;
  const giveUp = vi.fn<Daemon['giveUp']>();

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'mq-session-'));
    const ended = new Promise<void>((resolve, reject) => {
      endSync = (error) => (error ? reject(error) : resolve());
    });
    ended.catch(() => {});
    queues = await Queues.open(
      async (events) => new SqliteStore(join(folder, 'store'), events, anHourAhead, () => ended),
      (error) => expect.unreachable(String(error)),
    );
    const daemon = {
      maxMessage: 1000,
      budget: new Budget(),
      pipes: { list: () => [] } as Partial<Pipes> as Pipes,
      check() {},
      account() {},
      giveUp,
    } as Partial<Daemon> as Daemon;
    server = createServer((socket) => new Session(socket, queues, daemon));
    await new Promise<void>((resolve) => server.listen(join(folder, 'socket'), resolve));
  });
  afterEach(async () => {
    giveUp.mockReset();
    await new Promise((resolve) => server.close(resolve));
    // Messages that the connections held are given back then.
    await new Promise((resolve) => setImmediate(resolve));
    endSync();
    await queues.store.end().catch(() => {});
    queues.end();
    rmSync(folder, { recursive: true });
  });

  /** A client, and what it has heard. */
  const open = () => {
    const socket = connect(join(folder, 'socket'));
    let heard = '';
    socket.on('data', (chunk) => {
      heard += chunk;
    });
    return {
      say: (request: Request) => socket.write(encodeRequest(request)),
      heard: () => heard,
      hears: (answer: string) => until(() => heard === answer),
      end: () => socket.destroy(),
    };
  };
  const put = (body: string) =>
    ({ verb: 'PUT', queue: 'q', messages: packed(body), priority: 0, timeout: Infinity }) as const;
  const get: Request = { verb: 'GET', queues: ['q'], timeout: Infinity, count: undefined, hold: true };

  test('a message is handed out, and its put answered only after the sync', async () => {
    const [producer, consumer] = [open(), open()];
    consumer.say(get);
    await until(() => queues.consumersOf({ name: 'q' } as QueueState) === 1);
    producer.say(put('a'));
    await consumer.hears('*2\r\n:1\r\n$1\r\na\r\n');
    expect(producer.heard()).toBe('');
    endSync();
    await producer.hears(':1\r\n');
    producer.end();
    consumer.end();
  });

  test('what a get says is done is recorded when it is answered; a get that brings nothing waits for the sync', async () => {
    const [producer, consumer] = [open(), open()];
    producer.say(put('a'));
    consumer.say(get);
    await consumer.hears('*2\r\n:1\r\n$1\r\na\r\n');
    producer.say(put('b'));
    consumer.say({ ...get, done: { queue: 'q', ids: [{ first: 1, last: 1 }] } });
    await consumer.hears('*2\r\n:1\r\n$1\r\na\r\n*2\r\n:2\r\n$1\r\nb\r\n');
    expect(await queues.store.stat('q')).toMatchObject({ done: 1, held: 1 });
    consumer.say({ ...get, timeout: 0, done: { queue: 'q', ids: [{ first: 2, last: 2 }] } });
    await until(async () => (await queues.store.stat('q'))?.done === 2);
    expect(consumer.heard()).toBe('*2\r\n:1\r\n$1\r\na\r\n*2\r\n:2\r\n$1\r\nb\r\n');
    endSync();
    await until(() => consumer.heard().endsWith('$-1\r\n'));
    await producer.hears(':1\r\n:1\r\n');
    producer.end();
    consumer.end();
  });

  test('a lease that ends with its connection is given before the sync, one that does not after it', async () => {
    const begun = Date.now();
    const [producer, worker, other] = [open(), open(), open()];
    producer.say(put('a'));
    producer.say(put('b'));
    worker.say({ ...get, count: 1, lease: 1000 });
    await until(() => worker.heard().includes('$1\r\na\r\n'));
    other.say({ ...get, count: 1, lease: 1000, hold: false });
    await until(async () => (await queues.store.stat('q'))?.leased === 2);
    expect(other.heard()).toBe('');
    endSync();
    await until(() => other.heard().includes('$1\r\nb\r\n'));
    const [, end] = /:(\d+)\r\n\*1\r\n[^*]*$/.exec(other.heard()) ?? [];
    expect(Number(end) - 1000, 'by the wall clock').toBeGreaterThan(begun - 1000);
    expect(Number(end) - 1000, 'by the wall clock').toBeLessThan(Date.now() + 1000);
    for (const each of [producer, worker, other]) each.end();
  });

  test('what a client asks for once is known until it ends the connection', async () => {
    endSync();
    await queues.store.put('q', packed('a', 'b', 'c'), { priority: 0 });
    const move: Request = {
      ...{ verb: 'MOVE', queue: 'q', to: 'other', count: 1 },
      once: { client: 'x', seq: 1, acked: 0 },
    };
    const [first, second] = [open(), open()];
    first.say(move);
    await first.hears(':1\r\n');
    second.say(move);
    second.say({ ...put('d'), client: { id: 'x', index: 0 } });
    second.say({ verb: 'POSITION', client: 'x' });
    await second.hears(':1\r\n:1\r\n:1\r\n');
    expect(await queues.store.stat('other')).toMatchObject({ waiting: 1 });
    second.end();
    // Forgotten with the next step.
    await until(async () => {
      await queues.store.put('any', packed('e'), { priority: 0 });
      return (await queues.store.stored('x')) === 0;
    });
    first.say(move);
    await first.hears(':1\r\n:1\r\n');
    expect(await queues.store.stat('other')).toMatchObject({ waiting: 2 });
    first.end();
  });

  test('a sync that fails fails all who wait for it, and then the daemon gives up', async () => {
    const [one, other] = [open(), open()];
    one.say(put('a'));
    other.say(put('b'));
    await until(async () => (await queues.store.stat('q'))?.put === 2);
    endSync(Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' }));
    await until(() => one.heard() !== '' && other.heard() !== '');
    for (const { heard } of [one, other])
      expect(heard()).toMatch(/^-UNKNOWN .*EIO: i\/o error, fdatasync.*\r\n$/);
    await until(() => giveUp.mock.calls.length > 0);
    // Nothing is said to be safe from then on, though a later sync may say that it was well.
    one.say(put('c'));
    await until(() => one.heard().split('-UNKNOWN').length === 3);
    one.end();
    other.end();
  });

  test('an answer of many parts is one answer, in the order of the requests', async () => {
    endSync();
    const client = open();
    for (let i = 0; i < 250; i++) await queues.store.create(`queue${String(i).padStart(3, '0')}`, {});
    client.say({ verb: 'HELLO', version: 3, mq: undefined });
    client.say({ verb: 'LS', after: undefined, count: undefined });
    client.say({ verb: 'LS', after: 'queue099', count: 140 });
    client.say({ verb: 'PING' });
    await until(() => client.heard().endsWith('+PONG\r\n'));
    const frames: Value[] = [];
    const scanner = new FrameScanner({ bulk: Infinity, frame: Infinity, requests: false });
    scanner.push(Buffer.from(client.heard()), (frame) => frames.push(new Reader(frame).read()));
    expect(frames).toHaveLength(4);
    const names = (value: Value | undefined) =>
      (value as Map<string, Value>[]).map((each) => `${each.get('name')}`);
    const all = Array.from({ length: 250 }, (_, i) => `queue${String(i).padStart(3, '0')}`);
    expect(names(frames[1])).toEqual(all);
    expect(names(frames[2])).toEqual(all.slice(100, 240));
    client.end();
  });

  test('requests that came at once are all answered, though others have their turn between', async () => {
    endSync();
    const [many, other] = [open(), open()];
    await queues.store.create('q', {});
    for (let i = 0; i < 2000; i++) many.say({ verb: 'SIZE', queue: 'q' });
    await until(() => many.heard() !== '');
    other.say({ verb: 'PING' });
    await other.hears('+PONG\r\n');
    await many.hears(':0\r\n'.repeat(2000));
    many.end();
    other.end();
  });
});

describe('large requests', () => {
  let folder: string;
  let queues: Queues;
  let server: Server;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'mq-session-'));
    queues = await Queues.open(
      async (events) => new MemoryStore(events, Date.now),
      (error) => expect.unreachable(`${error}`),
    );
    const daemon = {
      maxMessage: 1024 * 1024,
      budget: new Budget(400_000, 200),
      check() {},
      account() {},
      released() {},
    } as Partial<Daemon> as Daemon;
    server = createServer((socket) => new Session(socket, queues, daemon));
    await new Promise<void>((resolve) => server.listen(join(folder, 'socket'), resolve));
  });
  afterEach(async () => {
    await new Promise((resolve) => server.close(resolve));
    queues.end();
    rmSync(folder, { recursive: true });
  });

  const open = () => {
    const socket = connect(join(folder, 'socket'));
    let heard = '';
    socket.on('data', (chunk) => {
      heard += chunk;
    });
    return { socket, hears: (answer: string) => until(() => heard === answer) };
  };
  const put = (body: Buffer) =>
    encodeRequest({ verb: 'PUT', queue: 'q', messages: pack([body]), priority: 0, timeout: Infinity });

  test('wait for each other, and all are stored; small ones and others do not wait', async () => {
    const begun = open();
    const half = put(Buffer.alloc(300_000, 'a'));
    begun.socket.write(half.subarray(0, 200_000));
    const waiting = Array.from({ length: 5 }, open);
    for (const each of waiting) each.socket.write(put(Buffer.alloc(250_000, 'b')));
    const small = open();
    small.socket.write(put(Buffer.from('small')));
    small.socket.write(encodeRequest({ verb: 'PING' }));
    await small.hears(':1\r\n+PONG\r\n');
    begun.socket.write(half.subarray(200_000));
    for (const each of [begun, ...waiting]) await each.hears(':1\r\n');
    expect(await queues.store.stat('q')).toMatchObject({ put: 7 });
    for (const each of [begun, small, ...waiting]) each.socket.destroy();
  });

  test('of which one comes no further are ended when others wait', async () => {
    const stuck = open();
    stuck.socket.write(put(Buffer.alloc(390_000, 'a')).subarray(0, 200_000));
    await until(() => stuck.socket.bytesWritten === 200_000);
    const other = open();
    other.socket.write(put(Buffer.alloc(250_000, 'b')));
    await other.hears(':1\r\n');
    await until(() => stuck.socket.destroyed);
    other.socket.destroy();
  });
});
