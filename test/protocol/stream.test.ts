import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { MqError } from '../../src/errors.ts';
import {
  ALL_TAKEN,
  refusal,
  STREAM_END,
  STREAM_START,
  StreamScanner,
  writeChunk,
} from '../../src/protocol/stream.ts';

/** The events of a scanner for a stream that comes in these parts, with neighbouring bytes joined. */
function read(parts: Iterable<Buffer>): string[] {
  const events: string[] = [];
  let isBytes = false;
  const scanner = new StreamScanner({
    bytes: (piece) => {
      if (isBytes) events[events.length - 1] += piece.toString('latin1');
      else events.push(piece.toString('latin1'));
      isBytes = true;
    },
    end: () => tell('end'),
    verdict: (error) => tell(error === undefined ? 'taken' : `${error.code}: ${error.message}`),
  });
  const tell = (event: string) => {
    isBytes = false;
    events.push(event);
  };
  for (const part of parts) scanner.push(part);
  return events;
}

function written(...pieces: Buffer[]): Buffer {
  const stream = new PassThrough();
  for (const piece of pieces) writeChunk(stream, piece);
  return stream.read() ?? Buffer.alloc(0);
}

describe('a stream', () => {
  test('is read as it was written, however it is cut', () => {
    const stream = Buffer.concat([
      STREAM_START,
      written(Buffer.from('hello\r\n;3\r\n+OK\r\n')),
      ALL_TAKEN,
      written(Buffer.from('\0'), Buffer.from('\xff', 'latin1')),
      STREAM_END,
      refusal('GONE', 'the other end went away'),
    ]);
    const events = ['hello\r\n;3\r\n+OK\r\n', 'taken', '\0\xff', 'end', 'GONE: the other end went away'];
    expect(read([stream])).toEqual(events);
    expect(read([...stream].map((byte) => Buffer.of(byte)))).toEqual(events);
    for (let at = 1; at < stream.length; at++)
      expect(read([stream.subarray(0, at), stream.subarray(at)])).toEqual(events);
  });

  test('hands on bytes before their chunk is complete', () => {
    expect(read([Buffer.from('$?\r\n;1000000\r\nab')])).toEqual(['ab']);
  });

  test('has long pieces as they are', () => {
    const long = Buffer.alloc(100_000, 'x');
    expect(written(long).equals(Buffer.concat([Buffer.from(';100000\r\n'), long, Buffer.from('\r\n')]))).toBe(
      true,
    );
  });

  test.each(['hello\r\n', ';-1\r\n', ';1x\r\n', ';5\n', '*1\r\n', 'x'.repeat(2000)])(
    'is refused where %j comes',
    (text) => {
      expect(() => read([Buffer.from(text)])).toThrow(
        expect.objectContaining({ code: 'SYNTAX' }) as unknown as MqError,
      );
    },
  );
});
