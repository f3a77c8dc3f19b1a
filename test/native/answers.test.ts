import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXIT_STATUS } from '../../src/errors.ts';
import { PROTOCOL, VERSION } from '../../src/version.ts';
import { Random, seeds } from '../random.ts';
import { BECAME_NODE, compiles, frontAlone, type Ran, runFront, SANITIZED } from './front.ts';

/** How many answers of each kind; MQ_FUZZ_ANSWERS makes it more. */
const COUNT = Number(process.env['MQ_FUZZ_ANSWERS'] ?? 27);

const compiler = ['gcc', 'clang', 'cc'].find((each) => compiles(each, SANITIZED));
const whyNot = compiler === undefined ? ' (no compiler with AddressSanitizer and UBSan)' : '';

/** Longer than any -t here, and its margin; a sanitized front starts slowly. */
const SOON = 20_000;

const MESSAGE = Buffer.from('message');
const GOOD = {
  greeting: `%6\r\n+server\r\n$2\r\nmq\r\n+version\r\n$${VERSION.length}\r\n${VERSION}\r\n+proto\r\n:3\r\n+protocol\r\n:${PROTOCOL}\r\n+pid\r\n:1\r\n+max_message\r\n:67108864\r\n`,
  number: ':1\r\n',
  ok: '+OK\r\n',
  nil: '_\r\n',
  run: '*1\r\n*7\r\n:5\r\n:1\r\n:0\r\n:1700000000000\r\n:1\r\n:1\r\n$13\r\n$7\r\nmessage\r\n\r\n',
  leased:
    '*1\r\n*9\r\n:5\r\n:1\r\n:0\r\n:1700000000000\r\n:1\r\n:1\r\n$13\r\n$7\r\nmessage\r\n\r\n:1700000060000\r\n*1\r\n$5\r\n5.abc\r\n',
  of: '*2\r\n$1\r\nq\r\n*1\r\n*7\r\n:5\r\n:1\r\n:0\r\n:1700000000000\r\n:1\r\n:1\r\n$13\r\n$7\r\nmessage\r\n\r\n',
  full: '-FULL 3 queue q is full\r\n',
  stopped: '>1\r\n$7\r\nstopped\r\n',
  map: '%3\r\n$7\r\nwaiting\r\n:2\r\n$7\r\ndelayed\r\n:0\r\n$9\r\noldest_at\r\n_\r\n',
} as const;

const COMMANDS: [keyof typeof GOOD, ...string[]][] = [
  ['number', 'put', '-t', '0.2', 'q', 'a'],
  ['number', 'put', '-nw', 'q'],
  ['run', 'get', '-t', '0.2', 'q'],
  ['leased', 'get', '-n', '--lease', '5m', 'q'],
  ['of', 'get', '-n', 'q', 'r'],
  ['number', 'done', 'q', '5.abc'],
  ['ok', 'extend', 'q', '5.abc', '1m'],
  ['number', 'size', 'q'],
  ['nil', 'join', '-n', 'q'],
];

/** Statuses that an answer can lead to: those of errors, and 0 and 1 of `empty`. */
const STATUSES = new Set<number | null>([0, ...Object.values(EXIT_STATUS), BECAME_NODE]);

describe.skipIf(whyNot !== '')(`whatever the daemon answers${whyNot}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'mq-answers-'));
  const home = join(folder, 'home');
  const [seed] = seeds(0, 1) as [number];
  const random = new Random(seed);
  const below = (limit: number) => random.below(limit);
  const sockets = new Set<Socket>();
  let answerTo: (request: string, socket: Socket) => void = () => {};
  let server: Server;
  let front: string;

  beforeAll(async () => {
    mkdirSync(home, { mode: 0o700 });
    front = frontAlone(folder, compiler as string, SANITIZED);
    server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
      socket.on('data', (chunk) => answerTo(chunk.toString('latin1'), socket));
    });
    await new Promise<void>((resolve) => server.listen(join(home, 'mq.sock'), resolve));
  });

  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true });
  });

  /** Runs a command, and says what its greeting and its requests are answered with. */
  async function check(
    args: string[],
    answer: (isGreeting: boolean) => Buffer,
    bySingleBytes = false,
    ends = false,
  ) {
    const sent: Buffer[] = [];
    answerTo = (request, socket) => {
      const bytes = answer(request.includes('HELLO'));
      sent.push(bytes);
      if (!bySingleBytes) socket.write(bytes);
      else for (const byte of bytes) socket.write(Uint8Array.of(byte));
      if (ends) socket.end();
    };
    const begun = performance.now();
    const ran = await runFront(front, args, {
      MQ_HOME: home,
      PATH: '/usr/bin:/bin',
      ASAN_OPTIONS: 'detect_leaks=0',
    });
    const context = JSON.stringify({
      seed,
      args,
      answers: sent.map((each) => each.toString('latin1').slice(0, 2000)),
    });
    expect(ran.err, context).not.toMatch(/Sanitizer|runtime error|an error in mq itself/);
    expect(STATUSES, `${context}: ${ran.status} ${ran.signal}`).toContain(ran.status);
    expect(performance.now() - begun, context).toBeLessThan(SOON);
    // It prints a message, or a number, and nothing that was made up.
    if (args[0] === 'get')
      expect(['', 'message\n', '5.abc\tmessage\n'], context).toContain(ran.out.toString());
    return ran;
  }

  test('a right answer does what it says', async () => {
    const results: Ran[] = [];
    for (const [good, ...args] of COMMANDS)
      results.push(await check(args, (isGreeting) => Buffer.from(isGreeting ? GOOD.greeting : GOOD[good])));
    expect(results.map(({ status }) => status)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 3]);
    expect(results[2]?.out).toEqual(Buffer.concat([MESSAGE, Buffer.from('\n')]));
    expect(results[3]?.out.toString()).toBe('5.abc\tmessage\n');
  });

  test('in single bytes, the same', async () => {
    for (const [good, ...args] of COMMANDS) {
      const ran = await check(
        args,
        (isGreeting) => Buffer.from(isGreeting ? GOOD.greeting : GOOD[good]),
        true,
      );
      expect(ran.status).toBe(good === 'nil' ? 3 : 0);
    }
  });

  const KINDS: [string, (good: Buffer) => Buffer][] = [
    ['cut', (good) => good.subarray(0, below(good.length))],
    ['of another request', () => Buffer.from(Object.values(GOOD)[below(Object.keys(GOOD).length)] as string)],
    ['with bytes that are wrong', flipped],
    ['of random bytes', () => Buffer.from(Array.from({ length: below(300) }, () => below(256)))],
    [
      'with numbers that are wrong',
      (good) => Buffer.from(good.toString('latin1').replace(/\d+/g, number), 'latin1'),
    ],
    ['with something before it', (good) => Buffer.concat([flipped(Buffer.from(GOOD.stopped)), good])],
  ];

  test.each(KINDS)('%s', async (_, change) => {
    for (let i = 0; i < COUNT; i++) {
      const [good, ...args] = COMMANDS[i % COMMANDS.length] as (typeof COMMANDS)[number];
      const isInGreeting = below(4) === 0;
      await check(
        args,
        (isGreeting) => {
          const bytes = Buffer.from(isGreeting ? GOOD.greeting : GOOD[good]);
          return isGreeting === isInGreeting ? change(bytes) : bytes;
        },
        false,
        !args.some((each) => each.startsWith('-')) || below(2) === 0,
      );
    }
  });

  test('never: the command ends by its -t', async () => {
    for (const isInGreeting of [true, false]) {
      const answer = (isGreeting: boolean) => Buffer.from(isGreeting && !isInGreeting ? GOOD.greeting : '');
      expect((await check(['get', '-t', '0.2', 'q'], answer)).status).toBe(69);
      expect((await check(['put', '-n', 'q', 'a'], answer)).status).toBe(isInGreeting ? 69 : 79);
    }
  });

  test.each([
    [
      'a message that is longer than any',
      '*1\r\n*7\r\n:5\r\n:1\r\n:0\r\n:1\r\n:1\r\n:1\r\n$999999999999\r\n',
    ],
    ['more values than any', '*999999999\r\n'],
    ['a line without end', `+${'x'.repeat(200_000)}`],
    ['values within values', '*1\r\n'.repeat(100_000)],
    ['an error of many lines', `-FULL ${'9'.repeat(40)} x\r\n-FULL x\r\n`],
  ])('%s', async (_, answer) => {
    for (const [, ...args] of COMMANDS)
      await check(args, (isGreeting) => Buffer.from(isGreeting ? GOOD.greeting : answer));
  });

  test('an error is told in its words, and an unknown one as it is', async () => {
    const say = (answer: string) =>
      check(['put', '-t', '0.2', 'q', 'a', 'b'], (isGreeting) =>
        Buffer.from(isGreeting ? GOOD.greeting : answer),
      );
    expect(await say(GOOD.full)).toMatchObject({
      status: 3,
      err: 'mq: put q: queue q is full; 3 messages were stored\n',
    });
    expect(await say('-NEWER what it means\r\n')).toMatchObject({
      status: 76,
      err: 'mq: put q: the daemon answered: NEWER what it means; nothing was stored\n',
    });
    expect((await say('-FULL \u001b[31m\u0085\r\n')).err).toBe(
      'mq: put q: \\u001b[31m\\u0085; nothing was stored\n',
    );
  });

  function flipped(good: Buffer): Buffer {
    const bytes = Buffer.from(good);
    for (let i = 0; i <= below(4); i++) bytes[below(bytes.length)] = below(256);
    return bytes;
  }

  function number(): string {
    const numbers = ['0', '00', '1', '-1', '2', '9', '65536', '4294967296', '9223372036854775808', '1e9', ''];
    return numbers[below(numbers.length)] as string;
  }
});
