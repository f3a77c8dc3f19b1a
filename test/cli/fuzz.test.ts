import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { describe, expect } from 'vitest';
import { test } from './mq.ts';

/** How long each kind of garbage is sent, in ms; MQ_FUZZ_SECONDS makes it longer. */
const DURATION = Number(process.env['MQ_FUZZ_SECONDS'] ?? 3) * 1000;

const VERBS =
  'HELLO PUT GET DONE FAIL RETURN EXTEND JOIN PIPE CREATE SET PEEK RM CLOSE MOVE SIZE EMPTY FULL STAT PURGE OPEN LS STATUS PING QUIT INFO'.split(
    ' ',
  );
const WORDS =
  'q w NOWAIT SEND RECV TIMEOUT COUNT HOLD PACKED OR QUEUE PRIORITY CLIENT MQ PID KIND fifo lifo priority MAXSIZE MAX_ATTEMPTS RETRY_DELAY DEAD_LETTER DELAY TTL KEY ID DONE LEASE UNTIL IDLE FINISHED FREE NOW FORCE 1.1 0 1 3 -1 99999999999999999999 1-5 x'.split(
    ' ',
  );

describe('garbage on the socket', () => {
  test.for([
    ['random bytes', () => randomBytes(1 + below(2000))],
    ['random frames', randomFrames],
    ['random cuts and flips of good frames', () => damaged(randomFrames())],
  ] as const)('%s neither stop the daemon nor grow it, and others are served', async ([, make], { mq }) => {
    await mq.run(['put', 'kept', 'message']);
    const pid = mq.daemonPid();
    const memory = async () => JSON.parse((await mq.run(['status', '--json'])).out).memory as number;
    const garbage = async () => {
      const end = Date.now() + DURATION / 2;
      while (Date.now() < end) {
        await Promise.all(Array.from({ length: 20 }, () => send(mq.socket, make())));
        expect((await mq.run(['peek', 'kept'])).out).toBe('message\n');
      }
    };
    // V8 takes what it likes at first (170 MB, flat over 80,000 connections): a leak goes on growing.
    await garbage();
    const before = await memory();
    await garbage();
    expect(mq.daemonPid()).toBe(pid);
    expect((await memory()) - before).toBeLessThan(100e6);
    expect(mq.log).not.toContain('internal error');
    expect((await mq.run(['get', 'kept'])).out).toBe('message\n');
  });
});

/** Sends bytes, and waits until the daemon has closed the connection. */
function send(path: string, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on('error', () => {});
    socket.on('close', () => resolve());
    socket.resume();
    socket.end(bytes);
  });
}

function randomFrames(): Buffer {
  return Buffer.concat(Array.from({ length: 1 + below(10) }, randomFrame));
}

function randomFrame(): Buffer {
  const words = [pick(VERBS), ...Array.from({ length: below(6) }, () => pick(WORDS))].map((word) =>
    Buffer.from(word),
  );
  // Whatever would hit the queue that is watched, or end the daemon, is left out.
  if (below(4) === 0) words.push(randomBytes(below(300)));
  return Buffer.concat([
    Buffer.from(`*${words.length}\r\n`),
    ...words.flatMap((word) => [Buffer.from(`$${word.length}\r\n`), word, Buffer.from('\r\n')]),
  ]);
}

function damaged(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes.subarray(0, 1 + below(bytes.length)));
  for (let i = below(5); i > 0; i--) copy[below(copy.length)] = below(256);
  return copy;
}

function below(n: number): number {
  return Math.floor(Math.random() * n);
}

function pick<T>(from: readonly T[]): T {
  return from[below(from.length)] as T;
}
