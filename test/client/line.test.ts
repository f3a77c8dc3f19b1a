import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Line } from '../../src/client/line.ts';
import { MqError } from '../../src/errors.ts';
import { places } from '../../src/paths.ts';
import { FrameScanner } from '../../src/protocol/frames.ts';
import { parseRequest, requestLimits } from '../../src/protocol/parse-request.ts';
import type { Request } from '../../src/protocol/requests.ts';
import { encode, Push, type Value } from '../../src/protocol/values.ts';
import { VERSION } from '../../src/version.ts';

/** A daemon of our own: each connection is served by the next of these, until it answers 'die'. */
type Serve = (request: Request) => Value | 'die' | 'silent' | 'stop';

let home: string;
let server: Server;
let serves: Serve[];
/** The requests over each connection, without the greeting. */
let asked: Request[][];
const sockets = new Set<Socket>();

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'mq-line-'));
  [serves, asked] = [[], []];
  server = createServer((socket) => {
    sockets.add(socket);
    const serve = serves.shift() ?? (() => 'silent');
    const requests: Request[] = [];
    asked.push(requests);
    const scanner = new FrameScanner(requestLimits(1e6));
    socket.on('error', () => {});
    socket.on('data', (chunk) =>
      scanner.push(chunk, (frame) => {
        const request = parseRequest(frame);
        if (request.verb === 'HELLO')
          return socket.write(
            Buffer.concat(
              encode(
                new Map([
                  ['server', 'mq'],
                  ['version', VERSION],
                ]),
                3,
              ),
            ),
          );
        if (socket.destroyed) return;
        requests.push(request);
        const answer = serve(request);
        if (answer === 'die') socket.destroy();
        else if (answer === 'stop') socket.end(Buffer.concat(encode(new Push(['stopped']), 3)));
        else if (answer !== 'silent') socket.write(Buffer.concat(encode(answer, 3)));
      }),
    );
  });
  await new Promise<void>((resolve) => server.listen(join(home, 'mq.sock'), resolve));
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  await new Promise((resolve) => server.close(resolve));
  rmSync(home, { recursive: true });
});

const open = (deadline = Infinity, holds = false) =>
  Line.open({ places: places({ MQ_HOME: home }), start: false, deadline }, holds);
const done = (lease: string): Request => ({ verb: 'DONE', queue: 'q', ids: [], leases: [lease] });
const size: Request = { verb: 'SIZE', queue: 'q' };
const leasesOf = (requests: Request[] | undefined) =>
  requests?.map((request) => (request.verb === 'DONE' ? request.leases[0] : request.verb));
const code = async (promise: Promise<unknown>) => {
  try {
    return await promise;
  } catch (error) {
    return error instanceof MqError ? error.code : error;
  }
};

describe('a line to the daemon', () => {
  test('answers requests in their order', async () => {
    serves = [(request) => (request.verb === 'SIZE' ? 7 : 1)];
    const line = await open();
    expect(await Promise.all([line.ask(done('1.a')), line.ask(size)])).toEqual([1, 7]);
  });

  test('sends again what had no answer when the daemon died, in its order, and nothing else', async () => {
    let answers = 0;
    serves = [() => (answers++ < 1 ? 1 : 'die'), () => 1];
    const line = await open();
    await Promise.all(['1.a', '2.b', '3.c'].map((lease) => line.ask(done(lease))));
    expect(leasesOf(asked[1])).toEqual(['2.b', '3.c']);
  });

  test('a step that is to happen once has the same name when it is sent again', async () => {
    serves = [() => 'die', () => 1];
    const line = await open();
    await Promise.all([line.ask(done('1.a')), line.ask(done('2.b'))]);
    const onces = asked.map((requests) => requests.map((each) => 'once' in each && each.once));
    expect(onces[1]?.[0]).toMatchObject({ seq: 0, acked: 0 });
    expect(onces[1]?.[0]).toEqual(onces[0]?.[0]);
    expect(onces[1]?.[1]).toMatchObject({ seq: 1, acked: 0 });
    await line.ask(done('3.c'));
    expect(asked[1]?.at(-1)).toMatchObject({ once: { seq: 2, acked: 2 } });
  });

  test('says so on the new connection before anything is sent again', async () => {
    serves = [() => 'die', () => 1];
    const line = await open();
    line.onReopened = (connection) => void connection.request(size);
    await line.ask(done('1.a'));
    expect(leasesOf(asked[1])).toEqual(['SIZE', '1.a']);
  });

  test('an error that is the answer is the answer', async () => {
    serves = [() => new MqError('NOLEASE', 'gone')];
    expect(await code((await open()).ask(done('1.a')))).toBe('NOLEASE');
  });

  test('what was sent and changes something is not known when nobody answers any more', async () => {
    serves = [() => 'silent'];
    const line = await open(0);
    expect(await Promise.all([code(line.ask(done('1.a'))), code(line.ask(size))])).toEqual([
      'UNKNOWN',
      'UNREACHABLE',
    ]);
  });

  test('nor when the next daemon cannot be had', async () => {
    serves = [
      () => {
        server.close();
        return 'die';
      },
    ];
    const line = await open();
    expect(await Promise.all([code(line.ask(done('1.a'))), code(line.ask(size))])).toEqual([
      'UNKNOWN',
      'NODAEMON',
    ]);
  });

  test('nor when the next daemon is stopped; what no other had heard of was not done', async () => {
    const put: Request = {
      verb: 'PUT',
      queue: 'q',
      messages: { count: 1, bytes: Buffer.from('$1\r\na\r\n') },
      priority: 0,
      timeout: Infinity,
    };
    serves = [() => 'die', () => 'stop', () => 'stop'];
    expect(await code((await open()).ask(put))).toBe('UNKNOWN');
    expect(await code((await open()).ask(put))).toBe('STOPPED');
  });

  test('what was asked when the daemon had died already was not done', async () => {
    serves = [() => 1];
    const line = await open();
    await line.ask(done('1.a'));
    server.close();
    for (const socket of sockets) socket.destroy();
    // It has heard of that.
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await code(line.ask(done('2.b')))).toBe('NODAEMON');
  });

  test('where messages are held, comes back at once, though nothing is asked', async () => {
    serves = [() => 1, () => 1];
    const line = await open(Infinity, true);
    await line.ask(size);
    const reopened = new Promise<unknown>((resolve) => {
      line.onReopened = resolve;
    });
    for (const socket of sockets) socket.destroy();
    await reopened;
    expect(asked).toHaveLength(2);
    line.destroy();
  });
});
