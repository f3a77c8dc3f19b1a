import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Connection } from '../../src/client/connection.ts';
import { now } from '../../src/clock.ts';
import { MqError } from '../../src/errors.ts';
import { encode, Push, type Value } from '../../src/protocol/values.ts';

const GREETING = new Map([['server', 'mq']]);

let home: string;
let server: Server;
let daemon: Socket;
let connection: Connection;

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'mq-connection-'));
  server = createServer();
  await new Promise<void>((resolve) => server.listen(join(home, 's'), resolve));
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  connection = new Connection(connect(join(home, 's')));
  daemon = await accepted;
  daemon.on('error', () => {});
});
afterEach(() => {
  connection.destroy();
  daemon.destroy();
  server.close();
  rmSync(home, { recursive: true });
});

const say = (...values: Value[]) => daemon.write(Buffer.concat(values.flatMap((value) => encode(value, 3))));
const code = (code: string) => expect.objectContaining({ code });

test('answers come in the order of the requests, errors among them', async () => {
  const answers = Promise.allSettled(['a', 'b', 'c'].map((queue) => connection.ask({ verb: 'SIZE', queue })));
  say(1, new MqError('NOQUEUE', 'there is no queue b'), 3);
  expect(await answers).toEqual([
    { status: 'fulfilled', value: 1 },
    { status: 'rejected', reason: code('NOQUEUE') },
    { status: 'fulfilled', value: 3 },
  ]);
});

test('requests that are made at one time go out in one write', async () => {
  const came = new Promise<Buffer>((resolve) => daemon.once('data', resolve));
  for (const queue of ['a', 'b']) connection.ask({ verb: 'SIZE', queue }).catch(() => {});
  expect((await came).toString('latin1')).toBe(
    '*2\r\n$4\r\nSIZE\r\n$1\r\na\r\n*2\r\n$4\r\nSIZE\r\n$1\r\nb\r\n',
  );
});

test('the greeting is kept, and whoever is not mq is refused', async () => {
  const greeted = connection.greet(undefined, Infinity);
  say(GREETING);
  await greeted;
  expect(String(connection.greeting.get('server'))).toBe('mq');
  const again = connection.greet(undefined, Infinity);
  say(new Map([['server', 'redis']]));
  await expect(again).rejects.toEqual(code('PROTOCOL'));
});

test('when the daemon goes away, requests without an answer are lost, and so are later ones', async () => {
  const asked = connection.ask({ verb: 'PING' });
  daemon.destroy();
  await expect(asked).rejects.toEqual(code('LOST'));
  await expect(connection.ask({ verb: 'PING' })).rejects.toEqual(code('LOST'));
  expect(await connection.closed).toEqual(code('LOST'));
});

test('a daemon that was stopped says so before it goes', async () => {
  const stopped = vi.fn();
  connection.onStopped = stopped;
  const asked = connection.ask({ verb: 'PING' });
  say(new Push(['stopped']));
  daemon.end();
  await expect(asked).rejects.toEqual(code('STOPPED'));
  expect(stopped).toHaveBeenCalledOnce();
});

test('a daemon that is silent behind the limit is given up on', async () => {
  const asked = connection.ask({ verb: 'PING' }, { limit: now() });
  await expect(asked).rejects.toEqual(code('UNREACHABLE'));
});

test('bytes that are no frames end the connection', async () => {
  const asked = connection.ask({ verb: 'PING' });
  daemon.write('HTTP/1.1 400 Bad Request\r\n\r\n');
  await expect(asked).rejects.toEqual(code('PROTOCOL'));
});

test('a pipe takes over the connection, with the bytes that came behind the answer', async () => {
  const answered = connection.request(
    { verb: 'PIPE', pipe: 'p', direction: 'both', timeout: 0, pid: undefined },
    { isUpgrade: true },
  );
  daemon.write('+OK\r\n$?\r\n');
  await answered;
  expect(connection.stream.rest.toString()).toBe('$?\r\n');
});
