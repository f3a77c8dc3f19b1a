import { describe, expect, test } from 'vitest';
import { type Framing, Splitter, separatorOf } from '../src/lines.ts';
import { unpack } from '../src/packed.ts';

function split(framing: Framing, ...chunks: string[]): string[] {
  const splitter = new Splitter(framing, 1000);
  const parts = chunks.map((chunk) => splitter.push(Buffer.from(chunk, 'latin1')));
  return [...parts, splitter.finish()].flatMap(unpack).map((body) => body.toString('latin1'));
}

describe('Splitter', () => {
  test.each<[Framing, string, string[]]>([
    ['lines', 'a\nb\n', ['a', 'b']],
    ['lines', 'a\nb', ['a', 'b']],
    ['lines', '\n\na\n\n', ['', '', 'a', '']],
    ['lines', '', []],
    ['lines', '\n', ['']],
    ['lines', ' a\r\n\tb\0 \n\xff\n', [' a\r', '\tb\0 ', '\xff']],
    ['null', 'a\nb\0\0c', ['a\nb', '', 'c']],
    ['null', 'a\0', ['a']],
    ['whole', 'a\nb\0c\n', ['a\nb\0c\n']],
    ['whole', '', ['']],
  ])('%s: %j is %j, wherever it is cut', (framing, text, messages) => {
    expect(split(framing, text)).toEqual(messages);
    expect(split(framing, ...text)).toEqual(messages);
    for (let i = 0; i <= text.length; i++) {
      expect(split(framing, text.slice(0, i), '', text.slice(i))).toEqual(messages);
    }
  });

  test('gives a message as soon as it has ended', () => {
    const splitter = new Splitter('lines', 1000);
    expect(unpack(splitter.push(Buffer.from('one\ntw'))).map(String)).toEqual(['one']);
    expect(splitter.push(Buffer.from('o')).count).toBe(0);
    expect(unpack(splitter.push(Buffer.from('\nthree\n'))).map(String)).toEqual(['two', 'three']);
    expect(splitter.finish().count).toBe(0);
  });

  test('a message may be as long as the limit and no longer', () => {
    const tooBig = expect.objectContaining({ code: 'TOOBIG' });
    const splitter = new Splitter('lines', 10);
    expect(splitter.push(Buffer.from('0123456')).count).toBe(0);
    expect(unpack(splitter.push(Buffer.from('789\n'))).map(String)).toEqual(['0123456789']);
    splitter.push(Buffer.from('0123456789'));
    expect(() => splitter.push(Buffer.from('0\n'))).toThrow(tooBig);
    expect(() => new Splitter('whole', 10).push(Buffer.from('0123456789\n'))).toThrow(tooBig);
    expect(() => new Splitter('null', 10).push(Buffer.from('0123456789\n'))).toThrow(tooBig);
  });

  test('what was cut before a message that is too long can be taken', () => {
    const splitter = new Splitter('lines', 10);
    expect(() => splitter.push(Buffer.from('a\nb\n0123456789.'))).toThrow();
    expect(unpack(splitter.take()).map(String)).toEqual(['a', 'b']);
  });
});

test('each framing has its separator', () => {
  expect((['lines', 'null', 'whole'] as const).map(separatorOf)).toEqual([0x0a, 0, undefined]);
});
