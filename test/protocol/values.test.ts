import { describe, expect, test } from 'vitest';
import { MqError } from '../../src/errors.ts';
import { pack, unpack } from '../../src/packed.ts';
import { FrameScanner } from '../../src/protocol/frames.ts';
import { Reader } from '../../src/protocol/reader.ts';
import { encode, Fields, OK, Push, Simple, type Value } from '../../src/protocol/values.ts';

const textOf = (value: Value, version: 2 | 3) => Buffer.concat(encode(value, version)).toString('latin1');

/** Through encode, scanner and Reader. */
function roundTrip(value: Value, version: 2 | 3): Value {
  const scanner = new FrameScanner({ bulk: 1e6, frame: 1e7, requests: false });
  const frames: Buffer[] = [];
  for (const chunk of encode(value, version)) scanner.push(chunk, (frame) => frames.push(frame));
  expect(frames).toHaveLength(1);
  expect(scanner.pending).toBe(0);
  const reader = new Reader(frames[0] as Buffer);
  const read = reader.read();
  expect(reader.at).toBe(frames[0]?.length);
  return read;
}

describe('encode', () => {
  const map = new Map<string, Value>([
    ['a', 1],
    ['b', null],
  ]);
  test.each<[Value, string, string]>([
    [null, '$-1\r\n', '_\r\n'],
    [42, ':42\r\n', ':42\r\n'],
    [-1, ':-1\r\n', ':-1\r\n'],
    ['hé', '$3\r\nh\xc3\xa9\r\n', '$3\r\nh\xc3\xa9\r\n'],
    [Buffer.from([0, 255]), '$2\r\n\0\xff\r\n', '$2\r\n\0\xff\r\n'],
    [OK, '+OK\r\n', '+OK\r\n'],
    [new Simple('two\r\nlines'), '+two lines\r\n', '+two lines\r\n'],
    [[], '*0\r\n', '*0\r\n'],
    [[1, ['x']], '*2\r\n:1\r\n*1\r\n$1\r\nx\r\n', '*2\r\n:1\r\n*1\r\n$1\r\nx\r\n'],
    [
      new Fields({ a: 1, b: null }),
      '*4\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n$-1\r\n',
      '%2\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n_\r\n',
    ],
    [map, '*4\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n$-1\r\n', '%2\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n_\r\n'],
    [new Push(['stop', 1]), '*2\r\n$4\r\nstop\r\n:1\r\n', '>2\r\n$4\r\nstop\r\n:1\r\n'],
    [pack([Buffer.from('m'), Buffer.alloc(0)]), '*2\r\n$1\r\nm\r\n$0\r\n\r\n', '*2\r\n$1\r\nm\r\n$0\r\n\r\n'],
    [new MqError('FULL', 'no\nroom', { stored: 3 }), '-FULL 3 no room\r\n', '-FULL 3 no room\r\n'],
    [new MqError('NOQUEUE', 'none'), '-NOQUEUE none\r\n', '-NOQUEUE none\r\n'],
  ])('%j', (value, resp2, resp3) => {
    expect(textOf(value, 2)).toBe(resp2);
    expect(textOf(value, 3)).toBe(resp3);
  });
});

test.each(['x', 'é', '€'])('texts of any length are written whole: %s', (character) => {
  for (const length of [5000, 5460, 5461, 8192, 16_383, 16_384, 16_385, 50_000]) {
    const text = character.repeat(length);
    const bytes = Buffer.byteLength(text);
    const written = Buffer.concat(encode(['before', text, 'behind'], 3)).toString();
    expect(written).toBe(`*3\r\n$6\r\nbefore\r\n$${bytes}\r\n${text}\r\n$6\r\nbehind\r\n`);
  }
});

describe.each([2, 3] as const)('in RESP %d, what encode writes Reader reads', (version) => {
  test.each<[string, Value]>([
    ['nil', null],
    ['numbers', 9007199254740991],
    ['bytes', Buffer.from(Array.from({ length: 256 }, (_, i) => i))],
    ['no bytes', Buffer.alloc(0)],
    ['a simple string', new Simple('PONG')],
    ['arrays in arrays', [1, null, [Buffer.from('x'), [], [[2]]], new Simple('')]],
  ])('%s', (_, value) => {
    expect(roundTrip(value, version)).toEqual(value);
  });

  test('strings, as bytes', () => {
    expect(roundTrip('ä\r\n', version)).toEqual(Buffer.from('ä\r\n'));
  });

  test('errors, with the number of messages that were stored', () => {
    const read = roundTrip(new MqError('CLOSED', '7 words about it', { stored: 12 }), version) as MqError;
    expect(read).toBeInstanceOf(MqError);
    expect(read).toMatchObject({ code: 'CLOSED', stored: 12, message: '7 words about it' });
    const without = roundTrip(new MqError('NOQUEUE', 'there is no queue'), version) as MqError;
    expect(without).toMatchObject({ code: 'NOQUEUE', stored: undefined, message: 'there is no queue' });
  });

  test('packed messages, as an array of them', () => {
    const packed = pack([Buffer.from('a'), Buffer.alloc(0), Buffer.from('\r\n')]);
    expect(roundTrip(packed, version)).toEqual(unpack(packed));
  });
});

test('maps and pushes are such in RESP 3, arrays in RESP 2', () => {
  const map = new Map<string, Value>([['k', new Map([['n', 1]])]]);
  expect(roundTrip(map, 3)).toEqual(map);
  expect(roundTrip(map, 2)).toEqual([Buffer.from('k'), [Buffer.from('n'), 1]]);
  expect(roundTrip(new Push([1]), 3)).toEqual(new Push([1]));
  expect(roundTrip(new Push([1]), 2)).toEqual([1]);
});

test('maps with other keys at the same places are read as they are', () => {
  const maps = [['a', 'b'], ['a', 'bb'], ['b', 'a'], ['ab', 'b'], ['é', 'b'], [], ['a', 'b', 'c'], ['a']].map(
    (keys) => new Map(keys.map((key, i): [string, Value] => [key, i])),
  );
  expect(roundTrip(maps, 3)).toEqual(maps);
});

test('bulk strings can be read as text', () => {
  const value: Value = [new Map<string, Value>([['k', 'é']]), null, 'x', 1];
  const reader = new Reader(Buffer.concat(encode(value, 3)));
  expect(reader.readTexts()).toEqual(value);
});

test('an error that mq does not have is PROTOCOL', () => {
  for (const line of ['-WRONGTYPE not that\r\n', '-\r\n', '-err\r\n', '!7\r\nERR bad\r\n']) {
    expect(new Reader(Buffer.from(line)).read(), line).toMatchObject({ code: 'PROTOCOL' });
  }
});

test('what other servers send of RESP 3 can be read', () => {
  const read = (text: string) => new Reader(Buffer.from(text)).read();
  expect(read('~2\r\n:1\r\n_\r\n')).toEqual([1, null]);
  expect(read('=5\r\ntxt:a\r\n')).toEqual(Buffer.from('txt:a'));
  expect(read('!9\r\nFULL full\r\n')).toMatchObject({ code: 'FULL', message: 'full' });
  expect(read('#t\r\n')).toEqual(new Simple('t'));
  expect(read('*-1\r\n')).toBeNull();
});
