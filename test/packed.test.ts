import { describe, expect, test } from 'vitest';
import {
  bodyStart,
  join,
  messageEnd,
  NOTHING,
  offsetsOf,
  type Packed,
  Packer,
  pack,
  pieces,
  splitAt,
  unpack,
} from '../src/packed.ts';

const SIZES = [0, 1, 9, 10, 63, 64, 99, 100, 999, 1000, 70_000];
const BODIES = SIZES.map((size) => Buffer.alloc(size, `${size}\r\n$`));
const damaged = expect.objectContaining({ code: 'DAMAGED' });

describe('packed messages', () => {
  test('are RESP bulk strings, one behind the other', () => {
    expect(pack([Buffer.from('hello'), Buffer.alloc(0)])).toEqual({
      count: 2,
      bytes: Buffer.from('$5\r\nhello\r\n$0\r\n\r\n'),
    });
  });

  test('come out as they went in, whatever their length', () => {
    expect(unpack(pack(BODIES))).toEqual(BODIES);
    expect(unpack(pack([]))).toEqual([]);
    expect(unpack(NOTHING)).toEqual([]);
  });

  test('stand between their offsets', () => {
    const packed = pack(BODIES);
    const offsets = offsetsOf(packed);
    expect(offsets).toHaveLength(BODIES.length + 1);
    expect(offsets.at(-1)).toBe(packed.bytes.length);
    BODIES.forEach((body, i) => {
      const start = offsets[i] as number;
      expect(messageEnd(packed.bytes, start)).toBe(offsets[i + 1]);
      expect(packed.bytes.subarray(bodyStart(packed.bytes, start), (offsets[i + 1] as number) - 2)).toEqual(
        body,
      );
    });
  });

  test('can be split anywhere and joined again', () => {
    const packed = pack(BODIES);
    for (let i = 0; i <= BODIES.length + 1; i++) {
      const [left, right] = splitAt(packed, i);
      expect(unpack(left)).toEqual(BODIES.slice(0, i));
      expect(unpack(right)).toEqual(BODIES.slice(i));
      expect(join([left, right])).toEqual(packed);
    }
    expect(join([])).toEqual(NOTHING);
  });

  test.each([1, 12, 100, 1000, 1e9])('can be cut in pieces of about %d bytes', (size) => {
    const packed = pack(BODIES);
    const parts = [...pieces(packed, size)];
    expect(parts.flatMap(unpack)).toEqual(BODIES);
    for (const { count, bytes } of parts) expect(count === 1 || bytes.length <= size).toBe(true);
    expect([...pieces(NOTHING, size)]).toEqual([]);
  });

  test('a Packer takes parts of what it is given, and begins anew after each take', () => {
    const packer = new Packer(1);
    packer.add(Buffer.from('abcdef'), 2, 4);
    const first = packer.take();
    expect(packer.count).toBe(0);
    packer.add(Buffer.alloc(100, 'x'), 0, 100);
    packer.add(Buffer.alloc(0), 0, 0);
    expect(packer.count).toBe(2);
    expect(packer.length).toBe('$100\r\n\r\n'.length + 100 + '$0\r\n\r\n'.length);
    expect(unpack(packer.take()).map(String)).toEqual(['x'.repeat(100), '']);
    expect(unpack(first).map(String)).toEqual(['cd']);
    expect(packer.take()).toEqual(NOTHING);
  });
});

describe('damaged packed messages', () => {
  const readers: [string, (packed: Packed) => unknown][] = [
    ['unpack', unpack],
    ['offsetsOf', offsetsOf],
    ['splitAt', (packed) => splitAt({ ...packed, count: packed.count + 1 }, packed.count)],
    ['pieces', (packed) => [...pieces(packed, -1)]],
  ];

  test.each(readers)('%s says DAMAGED where they are cut off', (_, read) => {
    const { count, bytes } = pack([Buffer.from('hello'), Buffer.alloc(20, 'x'), Buffer.alloc(0)]);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => read({ count, bytes: bytes.subarray(0, length) }), `${length}`).toThrow(damaged);
    }
  });

  test.each(readers)('%s says DAMAGED where there are other bytes', (_, read) => {
    const texts = [
      'hello',
      '$',
      '$5',
      '$5\r',
      '$-1\r\n',
      '$x\r\n',
      '$99999999999999999999999\r\n',
      '5\r\nhello\r\n',
    ];
    for (const text of [...texts, 'no end'.repeat(100), `$${'9'.repeat(1000)}\r\n`]) {
      expect(() => read({ count: 1, bytes: Buffer.from(text) }), text).toThrow(damaged);
    }
    expect(() => read({ count: 3, bytes: Buffer.alloc(1000) })).toThrow(damaged);
  });
});
