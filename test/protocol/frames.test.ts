import { describe, expect, test } from 'vitest';
import { FrameScanner } from '../../src/protocol/frames.ts';

const ANSWERS = { bulk: 1000, frame: 10_000, requests: false };
const REQUESTS = { bulk: 1000, frame: 10_000, requests: true };

/** Frames as text; latin1 keeps every byte. */
function scan(limits: typeof ANSWERS, ...chunks: string[]): string[] {
  const scanner = new FrameScanner(limits);
  const frames: Buffer[] = [];
  for (const chunk of chunks) scanner.push(Buffer.from(chunk, 'latin1'), (frame) => frames.push(frame));
  return frames.map((frame) => frame.toString('latin1'));
}

const code = (code: string) => expect.objectContaining({ code });

describe('FrameScanner', () => {
  const answers = [
    '+OK\r\n',
    '-NOQUEUE there is no queue\r\n',
    ':42\r\n',
    ':-1\r\n',
    '$5\r\nhello\r\n',
    '$0\r\n\r\n',
    '$12\r\n$1\r\n\r\n*3\r\n\xff\0\r\n',
    '$-1\r\n',
    '*-1\r\n',
    '*0\r\n',
    '*2\r\n$1\r\na\r\n:1\r\n',
    '*3\r\n*0\r\n*2\r\n$-1\r\n*1\r\n+x\r\n*-1\r\n',
    // RESP 3
    '_\r\n',
    '#t\r\n',
    ',1.5e3\r\n',
    '(3492890328409238509324850943850943825024385\r\n',
    '=7\r\ntxt:abc\r\n',
    '!9\r\nERROR bad\r\n',
    '~2\r\n:1\r\n:2\r\n',
    '>2\r\n$4\r\nstop\r\n_\r\n',
    '%2\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n%1\r\n+k\r\n*1\r\n#f\r\n',
    '%0\r\n',
  ];
  const requests = [
    '*1\r\n$4\r\nPING\r\n',
    '*3\r\n$3\r\nPUT\r\n$1\r\nq\r\n$0\r\n\r\n',
    '*0\r\n',
    '*2\r\n$2\r\nLS\r\n$3\r\n*1\r\r\n',
  ];

  test.each([...answers])('%j is one frame', (frame) => {
    expect(scan(ANSWERS, frame)).toEqual([frame]);
  });

  test.each([
    ['answers', ANSWERS, answers],
    ['requests', REQUESTS, requests],
  ] as const)('%s are the same frames wherever the stream is cut', (_, limits, frames) => {
    const stream = frames.join('');
    expect(scan(limits, stream)).toEqual(frames);
    expect(scan(limits, ...stream)).toEqual(frames);
    for (let i = 0; i <= stream.length; i++) {
      expect(scan(limits, stream.slice(0, i), stream.slice(i)), `cut at ${i}`).toEqual(frames);
    }
    for (let size = 2; size < 40; size++) {
      const chunks = stream.match(new RegExp(`[^]{1,${size}}`, 'g')) as string[];
      expect(scan(limits, ...chunks), `chunks of ${size}`).toEqual(frames);
    }
  });

  test('frames that were given out do not change when more comes', () => {
    const scanner = new FrameScanner(ANSWERS);
    const frames: Buffer[] = [];
    for (let i = 100; i < 200; i++) {
      for (const part of [`$3\r\n${i}`, '\r\n+mo', `re ${i}\r\n$`, '1\r\nx\r\n'])
        scanner.push(Buffer.from(part), (frame) => frames.push(frame));
    }
    const expected = Array.from({ length: 100 }, (_, i) => [
      `$3\r\n${i + 100}\r\n`,
      `+more ${i + 100}\r\n`,
      '$1\r\nx\r\n',
    ]);
    expect(frames.map(String)).toEqual(expected.flat());
  });

  test('empty lines between requests are skipped, wherever the stream is cut', () => {
    const stream = `\r\n${requests.join('\r\n\n')}\r\n`;
    expect(scan(REQUESTS, stream)).toEqual(requests);
    expect(scan(REQUESTS, ...stream)).toEqual(requests);
    expect(() => scan(REQUESTS, '*1\r\n\r\n$4\r\nPING\r\n')).toThrow(code('SYNTAX'));
  });

  test('the frames before what is wrong are given', () => {
    const frames: string[] = [];
    const scanner = new FrameScanner(ANSWERS);
    const stream = Buffer.from('+OK\r\n:1\r\nwrong');
    expect(() => scanner.push(stream, (frame) => frames.push(String(frame)))).toThrow(code('SYNTAX'));
    expect(frames).toEqual(['+OK\r\n', ':1\r\n']);
  });

  test('says how many bytes wait for the rest of their frame', () => {
    const scanner = new FrameScanner(ANSWERS);
    expect(scanner.pending).toBe(0);
    scanner.push(Buffer.from('+OK\r\n$5\r\nhe'), () => {});
    expect(scanner.pending).toBe('$5\r\nhe'.length);
    scanner.push(Buffer.from('llo\r\n'), () => {});
    expect(scanner.pending).toBe(0);
  });

  test.each([
    'hello\r\n',
    '\r\n',
    '\0\0\0\0',
    'GET / HTTP/1.1\r\n\r\n',
    '$05\r\nhello\r\n',
    '$00\r\n\r\n',
    '*01\r\n:1\r\n',
    '$\r\n',
    '*\r\n',
    '$-2\r\n',
    '$-0\r\n',
    '$-1x\r',
    '$+1\r\na\r\n',
    '$1.0\r\na\r\n',
    '$ 1\r\na\r\n',
    '$1a\r\na\r\n',
    '$1\ra\r\n',
    '$1\n',
    '$3\r\nhello\r\n',
    '$5\r\nhello\n\n',
    '*1\r\nx',
    `$${'1'.repeat(100)}`,
    `${'*1\r\n'.repeat(100)}`,
    `+${'x'.repeat(70_000)}`,
  ])('%j is SYNTAX, however it comes', (text) => {
    expect(() => scan(ANSWERS, text)).toThrow(code('SYNTAX'));
    if (text.length < 1000) expect(() => scan(ANSWERS, ...text)).toThrow(code('SYNTAX'));
  });

  test.each([
    '+OK\r\n',
    '$4\r\nPING\r\n',
    ':1\r\n',
    'PING\r\n',
    '*1\r\n:1\r\n',
    '*1\r\n*1\r\n$1\r\na\r\n',
    '*1\r\n$-1\r\n',
    '*-1\r\n',
    '%1\r\n$1\r\na\r\n$1\r\nb\r\n',
    '*1\r\n_\r\n',
  ])('%j is an answer at best: SYNTAX where requests are to come', (text) => {
    expect(() => scan(REQUESTS, text)).toThrow(code('SYNTAX'));
    expect(() => scan(REQUESTS, ...text)).toThrow(code('SYNTAX'));
  });

  test('a message may be as long as the limit; a longer one is TOOBIG before it has come', () => {
    const frame = `$1000\r\n${'x'.repeat(1000)}\r\n`;
    expect(scan(ANSWERS, frame)).toEqual([frame]);
    for (const length of ['1001', '4294967296', '9'.repeat(17), '9'.repeat(30)]) {
      expect(() => scan(ANSWERS, `$${length}\r\n`), length).toThrow(code('TOOBIG'));
      expect(() => scan(REQUESTS, `*2\r\n$3\r\nPUT\r\n$${length}\r\n`), length).toThrow(code('TOOBIG'));
    }
  });

  test('a frame of many messages is TOOBIG as soon as it is seen to be too long', () => {
    const message = `$1000\r\n${'x'.repeat(1000)}\r\n`;
    const fits = `*9\r\n${message.repeat(9)}`;
    expect(scan(REQUESTS, fits)).toEqual([fits]);
    expect(() => scan(REQUESTS, `*99\r\n${message.repeat(10)}`)).toThrow(code('TOOBIG'));
    expect(() => scan(REQUESTS, ...`*99\r\n${message.repeat(10)}`)).toThrow(code('TOOBIG'));
  });

  test('a huge count of values costs nothing until they come', () => {
    const scanner = new FrameScanner(REQUESTS);
    const take = () => expect.unreachable();
    scanner.push(Buffer.from(`*${'9'.repeat(30)}\r\n$1\r\na\r\n`), take);
    expect(() => scanner.push(Buffer.from('$1\r\na\r\n'.repeat(2000)), take)).toThrow(code('TOOBIG'));
  });

  test('random bytes are frames or an error, and never hang', () => {
    const alphabet = '$*%~>=!+-:_#,(\r\n\r\n\r\n0123459xy';
    let seed = 1;
    let errors = 0;
    for (let i = 0; i < 3000; i++) {
      const text = Array.from({ length: 30 }, () => {
        seed = (seed * 48271) % 2147483647;
        return alphabet[seed % alphabet.length];
      }).join('');
      const outcomes = [[text], [...text]].map((chunks) => {
        try {
          return scan(ANSWERS, ...chunks);
        } catch (error) {
          errors += 1;
          return (error as { code: string }).code;
        }
      });
      expect(outcomes[1], text).toEqual(outcomes[0]);
    }
    expect(errors).toBeGreaterThan(100);
  });
});
