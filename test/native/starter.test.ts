import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ANSWERS, SOURCES, STARTER_REQUESTS } from '../../src/work/starter.ts';
import { Random, seeds } from '../random.ts';
import { BECAME_NODE, compiles, frontAlone, runFront, SANITIZED } from './front.ts';

/** How many rows of requests; MQ_FUZZ_ANSWERS makes it more. */
const COUNT = Number(process.env['MQ_FUZZ_ANSWERS'] ?? 27);

const compiler = ['gcc', 'clang', 'cc'].find((each) => compiles(each, SANITIZED));
const whyNot = compiler === undefined ? ' (no compiler with AddressSanitizer and UBSan)' : '';

/** The status of a starter that was asked for what it does not know. */
const INTERNAL = 70;

/** In the place of Node: sends what is in a file, and waits for the answer to the PING at its end. */
const PEER = `#!${process.execPath}
const { readFileSync, writeFileSync } = require('node:fs');
const socket = new (require('node:net').Socket)({ fd: Number(process.env.MQ_GIVEN.split(':')[5]) });
const got = [];
socket.on('data', (chunk) => {
  got.push(chunk);
  if (Buffer.concat(got).includes(Buffer.from([1, 0, 0, 0, ${ANSWERS.indexOf('alive')}]))) end();
});
socket.on('error', () => {});
socket.on('close', end);
function end() {
  writeFileSync(process.env.GOT, Buffer.concat(got));
  process.exit(${BECAME_NODE});
}
socket.write(readFileSync(process.env.FRAMES));
`;

describe.skipIf(whyNot !== '')(`whatever the starter is asked for${whyNot}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'mq-starter-'));
  const files = { FRAMES: join(folder, 'frames'), GOT: join(folder, 'got') };
  const [seed] = seeds(0, 1) as [number];
  const random = new Random(seed);
  let front: string;

  beforeAll(() => {
    front = frontAlone(folder, compiler as string, SANITIZED);
    writeFileSync(join(folder, 'bin/mq'), PEER);
    chmodSync(join(folder, 'bin/mq'), 0o755);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  async function send(frames: Buffer[]) {
    writeFileSync(files.FRAMES, Buffer.concat([...frames, frame('ping')]));
    writeFileSync(files.GOT, '');
    const env = { ...process.env, ...files, HOME: folder, ASAN_OPTIONS: 'detect_leaks=0' };
    const { status, err } = await runFront(front, ['work', 'q', '--', 'true', 'x{}y', '{}'], env);
    return { status, err, got: readFileSync(files.GOT) };
  }

  test('what it knows it answers', async () => {
    const { status, err, got } = await send([look(), start(7, 'message', [1, 3, 0]), frame('pipe')]);
    expect({ status, err }).toEqual({ status: BECAME_NODE, err: '' });
    expect(got.subarray(0, 9)).toEqual(Buffer.from([5, 0, 0, 0, ANSWERS.indexOf('found'), 0, 0, 0, 0]));
  });

  test(`random ones neither crash nor confuse it (seed ${seed})`, {
    timeout: 20_000 + COUNT * 4000,
  }, async () => {
    for (let i = 0; i < COUNT; i++) {
      const frames = [look(), ...Array.from({ length: 1 + random.below(6) }, some)];
      if (random.below(3) === 0) spoil(frames[random.below(frames.length)] as Buffer);
      const { status, err } = await send(frames);
      const shown = frames.map((each) => each.toString('hex')).join(' ');
      expect([BECAME_NODE, INTERNAL], `${i}: ${err} ${shown}`).toContain(status);
      expect(err, shown).toMatch(/^(mq: an error in mq itself: [^\n]*\n)?$/);
    }
  });

  function some(): Buffer {
    const each = STARTER_REQUESTS[random.below(STARTER_REQUESTS.length)];
    if (each === 'look') return look(random.below(5));
    if (each === 'start') {
      const sources = [0, 1, 2].map(() => random.below(SOURCES.length + 1));
      return start(random.below(4), 'm'.repeat(random.below(2) * random.below(300_000)), sources);
    }
    return frame(
      each as (typeof STARTER_REQUESTS)[number],
      number(random.below(9)),
      Buffer.of(random.below(3)),
    );
  }

  /** Some bytes are others, but not those that make it a long one, which would be waited for. */
  function spoil(bytes: Buffer): void {
    for (let i = 0; i < 3; i++) bytes[4 + random.below(bytes.length - 4)] = random.below(256);
  }
});

function frame(request: (typeof STARTER_REQUESTS)[number], ...fields: Buffer[]): Buffer {
  const bytes = Buffer.concat([Buffer.of(STARTER_REQUESTS.indexOf(request)), ...fields]);
  return Buffer.concat([number(bytes.length), bytes]);
}

function look(words = 3): Buffer {
  return frame('look', number(words), Buffer.from('{}\0MQ_LEASE\0'));
}

function start(id: number, message: string, sources: number[]): Buffer {
  const variables = Buffer.from('MQ_LEASE=1\0');
  const streams = sources.flatMap((source) => [Buffer.of(source), number(source)]);
  const most = Buffer.alloc(8);
  most.writeUInt32LE(1000);
  return frame(
    'start',
    number(id),
    Buffer.of(1),
    ...streams,
    most,
    number(variables.length),
    variables,
    Buffer.from(message),
  );
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
