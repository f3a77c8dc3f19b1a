import { describe, expect, test } from 'vitest';
import { pack, unpack } from '../../src/packed.ts';
import { encodeRequest } from '../../src/protocol/encode-request.ts';
import { FrameScanner } from '../../src/protocol/frames.ts';
import { parseRequest, requestLimits } from '../../src/protocol/parse-request.ts';
import type { Request, Verb } from '../../src/protocol/requests.ts';

const packed = (...bodies: string[]) => pack(bodies.map((body) => Buffer.from(body)));

function frameOf(bytes: Buffer): Buffer {
  const frames: Buffer[] = [];
  new FrameScanner(requestLimits(1e6)).push(bytes, (frame) => frames.push(frame));
  expect(frames).toHaveLength(1);
  return frames[0] as Buffer;
}

/** A request as any client may write it. */
function parse(...words: string[]): Request {
  const text = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('');
  return parseRequest(frameOf(Buffer.from(`*${words.length}\r\n${text}`)));
}

const put = { verb: 'PUT', queue: 'q', priority: 0, timeout: Infinity, client: undefined } as const;
const get = {
  verb: 'GET' as const,
  queues: ['q'],
  timeout: Infinity,
  count: undefined,
  hold: false,
};

const once = { client: 'client one', seq: 12345, acked: 0 };
const bare = (['STATUS', 'STOP', 'PING', 'QUIT', 'INFO', 'COMMAND', 'CLIENT', 'SELECT'] as const).map(
  (verb) => ({
    verb,
  }),
);
const named = (['SIZE', 'EMPTY', 'FULL', 'STAT', 'OPEN'] as const).map((verb) => ({
  verb,
  queue: 'q',
}));

const REQUESTS: Request[] = [
  { verb: 'HELLO', version: 2, mq: undefined },
  { verb: 'HELLO', version: 3, mq: { protocol: 1, version: '1.2.3', replace: false } },
  { verb: 'HELLO', version: 3, mq: { protocol: 7, version: '0.1.0-beta', replace: true } },
  { ...put, messages: packed('a') },
  { ...put, messages: packed('', '\r\n', 'ä\0') },
  { ...put, messages: packed('QUEUE', 'other', 'x') },
  { ...put, messages: packed('NOWAIT') },
  { ...put, messages: packed('IDS'), ids: true },
  { ...put, messages: packed('TIMEOUT', '5', 'PRIORITY', '1', 'CLIENT', 'x', '0') },
  { ...put, queue: 'QUEUE', messages: packed('NOWAIT') },
  { ...put, queue: 'NOWAIT', messages: packed('m') },
  { ...put, timeout: 0, messages: packed('m') },
  {
    ...put,
    timeout: 1500,
    priority: -(2 ** 31),
    client: { id: 'client one', index: 12345 },
    messages: packed('m'),
  },
  { ...put, priority: 2 ** 31 - 1, messages: packed('m') },
  { ...put, delay: 5, ttl: 1, key: 'ID é', done: { queue: 'DONE', lease: '5.k3x' }, messages: packed('m') },
  { verb: 'LS', after: undefined, count: undefined },
  { verb: 'LS', after: 'COUNT', count: 5 },
  get,
  { verb: 'PEEK', queue: 'q', count: 1, id: 17 },
  { verb: 'PEEK', queue: 'q', count: 500, state: 'leased', after: 17, cut: 80 },
  { verb: 'PEEK', queue: 'q', count: 3, map: true },
  { verb: 'MOVE', queue: 'q', to: 'r', count: undefined, ids: [3, 1] },
  { verb: 'RETRY', queue: 'q' },
  { verb: 'RETRY', queue: 'q', once, ids: [17] },
  { verb: 'DROP', queue: 'q', once, ids: [17, 18] },
  { ...get, id: 17, hold: true, origin: true },
  { ...get, queues: ['q', 'OR', 'HOLD'], timeout: 2 ** 31 - 1, count: 10, hold: true },
  { ...get, count: 10, hold: true, packed: true },
  { ...get, timeout: 0 },
  { ...get, queues: ['LEASE'], lease: 5, until: 'idle' },
  { ...get, queues: ['a', 'b'], until: 'finished' },
  { ...get, count: 2, hold: true, lease: 5, until: 'finished' },
  { ...get, count: 9, hold: true, lease: 5, ahead: 9 },
  {
    ...get,
    hold: true,
    done: {
      queue: 'COUNT',
      ids: [
        { first: 1, last: 5 },
        { first: 9, last: 9 },
      ],
    },
  },
  { verb: 'DONE', queue: 'q', ids: [{ first: 5, last: 5 }], leases: [] },
  {
    verb: 'DONE',
    queue: 'q',
    ids: [
      { first: 1, last: 9007199254740991 },
      { first: 3, last: 3 },
    ],
    leases: [],
  },
  { verb: 'DONE', queue: 'q', ids: [], leases: ['5.k3x'] },
  { verb: 'FAIL', queue: 'DELAY', leases: ['5.k3x', '6.0'], delay: undefined },
  { verb: 'FAIL', queue: 'q', leases: ['5.k3x'], delay: 0 },
  { verb: 'RETURN', queue: 'q', leases: ['5.k3x', '6.0'] },
  { verb: 'EXTEND', queue: 'q', leases: ['5.k3x', '6.0'], duration: 1 },
  { verb: 'EXTEND', queue: 'q', leases: ['5.k3x'], duration: 60_000, binding: 'hold' },
  { verb: 'EXTEND', queue: 'q', leases: ['5.k3x'], duration: 60_000, binding: 'free' },
  { verb: 'JOIN', queue: 'NOWAIT', timeout: Infinity },
  { verb: 'JOIN', queue: 'q', timeout: 0 },
  { verb: 'CREATE', queue: 'q', settings: {} },
  { verb: 'CREATE', queue: 'KIND', settings: { kind: 'priority', maxsize: 5 } },
  { verb: 'SET', queue: 'q', settings: { maxsize: 0, max_leased: 0 } },
  { verb: 'SET', queue: 'q', settings: { max_attempts: 0, retry_delay: 5, dead_letter: 'KIND' } },
  { verb: 'PEEK', queue: 'q', count: 3 },
  { verb: 'RM', queue: 'q', force: false },
  { verb: 'RM', queue: 'FORCE', force: true },
  { verb: 'CLOSE', queue: 'q', now: false },
  { verb: 'CLOSE', queue: 'NOW', now: true },
  { verb: 'MOVE', queue: 'a', to: 'b', count: undefined },
  { verb: 'MOVE', queue: 'COUNT', to: 'COUNT', count: 7 },
  { verb: 'PURGE', queue: 'ONCE' },
  { verb: 'RENAME', queue: 'ONCE', to: 'ONCE', once },
  { verb: 'PAUSE', queue: 'ONCE' },
  { verb: 'PAUSE', queue: 'q', once },
  { verb: 'RESUME', queue: 'PAUSE', once },
  { verb: 'POSITION', client: 'ONCE' },
  { ...put, done: { queue: 'ONCE', lease: '5.k3x' }, once, messages: packed('ONCE', 'x', '1', '0') },
  { verb: 'DONE', queue: 'ONCE', ids: [], leases: ['5.k3x', '6.0'], once },
  { verb: 'FAIL', queue: 'ONCE', leases: ['5.k3x'], delay: 5, once },
  { verb: 'FAIL', queue: 'q', leases: ['5.k3x'], delay: undefined, once: { ...once, client: 'DELAY' } },
  { verb: 'RETURN', queue: 'ONCE', leases: ['5.k3x'], once },
  { verb: 'MOVE', queue: 'ONCE', to: 'ONCE', count: 7, once },
  { verb: 'RM', queue: 'ONCE', force: true, once },
  { verb: 'PURGE', queue: 'ONCE', once: { ...once, client: 'ONCE' } },
  { verb: 'PIPE', pipe: 'p', direction: 'both', timeout: Infinity, pid: undefined },
  { verb: 'PIPE', pipe: 'SEND', direction: 'send', timeout: 0, pid: 1 },
  { verb: 'PIPE', pipe: 'p', direction: 'recv', timeout: 5, pid: 2 ** 22 },
  { verb: 'ECHO', text: Buffer.from('hello\r\n') },
  ...named,
  ...bare,
];

describe('a request', () => {
  test.each(REQUESTS.map((request): [string, Request] => [JSON.stringify(request).slice(0, 80), request]))(
    '%s is read as it was written',
    (_, request) => {
      const read = parseRequest(frameOf(encodeRequest(request)));
      if (request.verb === 'PUT' && read.verb === 'PUT') {
        expect(unpack(read.messages)).toEqual(unpack(request.messages));
      }
      expect(read).toEqual(request);
    },
  );

  test('each verb is among these', () => {
    const verbs: Record<Verb, true> = {
      HELLO: true,
      PUT: true,
      GET: true,
      DONE: true,
      FAIL: true,
      RETURN: true,
      EXTEND: true,
      JOIN: true,
      PIPE: true,
      CREATE: true,
      SET: true,
      PEEK: true,
      RM: true,
      POSITION: true,
      CLOSE: true,
      MOVE: true,
      RETRY: true,
      DROP: true,
      SIZE: true,
      EMPTY: true,
      FULL: true,
      STAT: true,
      PURGE: true,
      PAUSE: true,
      RENAME: true,
      RESUME: true,
      OPEN: true,
      LS: true,
      STATUS: true,
      STOP: true,
      PING: true,
      QUIT: true,
      INFO: true,
      COMMAND: true,
      CLIENT: true,
      ECHO: true,
      SELECT: true,
    };
    expect([...new Set(REQUESTS.map(({ verb }) => verb))].sort()).toEqual(Object.keys(verbs).sort());
  });
});

describe('what other clients write', () => {
  test('verbs may be in lower case', () => {
    expect(parse('put', 'q', 'm')).toEqual({ ...put, messages: packed('m') });
  });

  test.each(['KEY', 'ID'])('PUT takes a key behind %s', (word) => {
    expect(parse('PUT', word, 'k', 'q', 'm')).toEqual({ ...put, key: 'k', messages: packed('m') });
  });

  test('PUT without QUEUE: options stand before the queue, all behind it are messages', () => {
    expect(parse('PUT', 'TIMEOUT', '5', 'q', 'NOWAIT', 'QUEUE')).toEqual({
      ...put,
      timeout: 5,
      messages: packed('NOWAIT', 'QUEUE'),
    });
  });

  test.each(['constructor', 'toString', 'valueOf', 'hasOwnProperty', '__proto__'])(
    '%s is no option, but a name',
    (name) => {
      expect(parse('PUT', name, 'm')).toEqual({ ...put, queue: name, messages: packed('m') });
      expect(() => parse('GET', 'q', name)).toThrow(expect.objectContaining({ code: 'USAGE' }));
      expect(() => parse(name)).toThrow(expect.objectContaining({ code: 'USAGE' }));
    },
  );

  test('a queue that GET names twice is asked for twice: the form of the answer follows from that', () => {
    expect(parse('GET', 'a', 'OR', 'a')).toEqual({ ...get, queues: ['a', 'a'] });
  });

  test('HELLO may have what Redis clients add to it, or nothing', () => {
    const hello = { verb: 'HELLO', version: 3, mq: undefined };
    expect(parse('HELLO', '3', 'AUTH', 'user', 'secret', 'SETNAME', 'me')).toEqual(hello);
    expect(parse('HELLO')).toEqual({ ...hello, version: undefined });
  });

  test('whatever follows INFO, COMMAND, CLIENT and SELECT does not matter', () => {
    expect(parse('CLIENT', 'SETINFO', 'LIB-NAME', 'x')).toEqual({ verb: 'CLIENT' });
    expect(parse('SELECT', '0')).toEqual({ verb: 'SELECT' });
  });

  test('PEEK shows one message when it says no number', () => {
    expect(parse('PEEK', 'q')).toEqual({ verb: 'PEEK', queue: 'q', count: 1 });
  });
});

describe('a bad request', () => {
  test('a key is text, and not too long', () => {
    for (const key of [Buffer.from([0xff]), Buffer.alloc(0), Buffer.alloc(1025, 'k')]) {
      const head = Buffer.from(`*5\r\n$3\r\nPUT\r\n$2\r\nID\r\n$${key.length}\r\n`);
      const frame = Buffer.concat([head, key, Buffer.from('\r\n$1\r\nq\r\n$1\r\nm\r\n')]);
      expect(() => parseRequest(frameOf(frame))).toThrow(expect.objectContaining({ code: 'USAGE' }));
    }
  });

  test('without a verb is USAGE', () => {
    expect(() => parseRequest(frameOf(Buffer.from('*0\r\n')))).toThrow(
      expect.objectContaining({ code: 'USAGE' }),
    );
  });

  test.each([
    'NOSUCH',
    'GET q LATER',
    'GET q COUNT',
    'GET q COUNT 0',
    'GET q COUNT -1',
    'GET q COUNT 1.5',
    'GET q COUNT ten',
    'GET q TIMEOUT -1',
    'GET q TIMEOUT 2147483648',
    'GET q TIMEOUT',
    'PUT q',
    'PUT QUEUE q',
    'PUT PRIORITY 2147483648 q m',
    'PUT PRIORITY high q m',
    'PUT CLIENT x q m',
    'PUT CLIENT x -1 q m',
    'DONE q',
    'DONE q x',
    'DONE q 5-',
    'DONE q -5',
    'DONE q 5-4',
    'DONE q 99999999999999999',
    'DONE q 5 5.k3x',
    'FAIL q',
    'FAIL q DELAY',
    'FAIL q DELAY -1 5.k3x',
    'RETURN q',
    'EXTEND q',
    'EXTEND q 5',
    'EXTEND q 0 5.k3x',
    'EXTEND q HOLD 5 5.k3x',
    'JOIN',
    'JOIN q r',
    'GET q LEASE',
    'GET q LEASE 0',
    'GET q LEASE 9999999999999',
    'GET q UNTIL',
    'GET q UNTIL TOMORROW',
    'PUT DELAY -1 q m',
    'PUT TTL 0 q m',
    'PUT ID k q m n',
    'PUT KEY k q m n',
    'PUT DONE q 5.k3x',
    'PUT ONCE x 1 0 q m',
    'PUT DONE q 5.k3x ONCE x 1 q m',
    'DONE q ONCE x 1 0',
    'DONE q ONCE x 1 0 5',
    'DONE q 5.k3x ONCE x 1 0',
    'FAIL q ONCE x 1 0',
    'RETURN q ONCE x -1 0 5.k3x',
    'MOVE a b ONCE x 1',
    'RM q ONCE x y 0',
    'PURGE q ONCE',
    'POSITION',
    'POSITION x y',
    'CREATE q MAX_ATTEMPTS -1',
    'CREATE q RETRY_DELAY 1s',
    'CREATE q KIND stack',
    'CREATE q MAXSIZE -1',
    'CREATE q MAX_LEASED -1',
    'SET q MAX_LEASED x',
    'GET q COUNT 5 AHEAD 1',
    'GET q LEASE 5 AHEAD 1',
    'GET q LEASE 5 COUNT 2 AHEAD 3',
    'GET q LEASE 5 COUNT 2 AHEAD -1',
    'PAUSE',
    'PAUSE q r',
    'RESUME q ONCE x 1',
    'RENAME q',
    'RENAME q r s',
    'CREATE q COLOUR red',
    'SET q MAXSIZE',
    'RM q NOW',
    'CLOSE q FORCE',
    'MOVE a',
    'MOVE a b COUNT 0',
    'PEEK q COUNT 0',
    'SIZE q q',
    'STAT',
    'LS q',
    'LS AFTER',
    'LS COUNT 0',
    'PING hello',
    'ECHO',
    'ECHO a b',
    'HELLO 3 MQ x 1',
    'HELLO 3 MQ 1',
  ])('%s is USAGE', (text) => {
    expect(() => parse(...text.split(' '))).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  test.each([
    'GET .q',
    'GET q OR -x',
    'PUT QUEUE a*b m',
    'PUT -q m',
    'SIZE ä',
    'MOVE a .b',
    `STAT ${'x'.repeat(201)}`,
    'FAIL .q 5.k3x',
    'PUT DONE .q 5.k3x q m',
    'CREATE q DEAD_LETTER .dead',
  ])('%s is BADNAME', (text) => {
    expect(() => parse(...text.split(' '))).toThrow(expect.objectContaining({ code: 'BADNAME' }));
    expect(() => parse('GET', '')).toThrow(expect.objectContaining({ code: 'BADNAME' }));
  });

  test('with another version of RESP is PROTOCOL', () => {
    expect(() => parse('HELLO', '4')).toThrow(expect.objectContaining({ code: 'PROTOCOL' }));
  });
});
