import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { BIN, Mq, test } from '../cli/mq.ts';
import { Random, seeds } from '../random.ts';

/** How many command lines; MQ_FUZZ_LINES makes it more. */
const COUNT = Number(process.env['MQ_FUZZ_LINES'] ?? 60);

const QUEUES = ['fifo', 'lifo', 'prio', 'small', 'closed', 'none', 'fifo'];

/** Node's longest argument apart, these are where something is cut, counted or decoded. */
const EDGES = [65_535, 65_536, 65_537, 4095, 4096, 4097, 131_000];

const NUL = 0;

/** A command line as bytes, what is on its standard input, and which descriptors are closed. */
interface Line {
  words: Buffer[];
  input: Buffer;
  closed: number[];
  kind: 'pipe' | 'file' | 'null' | 'halves';
}

interface Ran {
  status: number | null;
  signal: NodeJS.Signals | null;
  out: string;
  err: string;
}

/** The front and Node, each with a state folder of its own in which the same has happened. */
describe('the front does what Node does', () => {
  for (const seed of seeds(1, 1))
    test(`random command lines: status, output and store (seed ${seed})`, {
      timeout: 60_000 + COUNT * 3000,
    }, async ({ mq: front }) => {
      const node = new Mq();
      try {
        const sides = [
          { mq: front, env: { ...front.env, MQ_FRONT: '' }, leases: [] as string[] },
          { mq: node, env: { ...node.env, MQ_FRONT: '0' }, leases: [] as string[] },
        ] as const;
        for (const { mq } of sides) await mq.sh(SETUP);
        const lines = new Lines(new Random(seed));
        for (let i = 0; i < COUNT; i++) {
          const line = lines.next();
          const results: Ran[] = [];
          // One after the other: what comes back or is counted does not depend on the time.
          for (const { mq, env, leases } of sides) {
            const ran = await runLine(line, leases, env, mq.home);
            const [, lease] = /^(\d+\.[0-9a-z]+)\t/.exec(ran.out) ?? [];
            if (lease !== undefined) leases.push(lease);
            results.push(normal(ran, mq.home));
          }
          expect(results[0], `${i}: ${shown(line)}`).toEqual(results[1]);
        }
        const stores = await Promise.all(sides.map(({ mq }) => storeOf(mq)));
        expect(stores[0]).toEqual(stores[1]);
      } finally {
        await node.end();
      }
    });
});

const SETUP = `
  mq create fifo --retry-delay 1h; mq create lifo --kind lifo; mq create prio --kind priority --retry-delay 1h
  mq create small --maxsize 3; mq create closed; mq close closed
  for q in fifo lifo prio; do seq 200 | mq put $q; done; mq put -w fifo </dev/null`;

class Lines {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  next(): Line {
    const verb = this.#of([
      'put',
      'put',
      'put',
      'get',
      'get',
      'get',
      'done',
      'fail',
      'extend',
      'size',
      'empty',
      'full',
      'join',
    ]);
    const words: (string | Buffer)[] = [verb, ...this.#operands(verb), ...this.#options(verb)];
    if (this.#in(10)) words.unshift(this.#of(['-q', '--no-start', '--quiet', '-n', '--', '-h']));
    if (this.#in(10)) this.#swap(words);
    return {
      words: words.map((word) => Buffer.from(word)),
      input: this.#in(2) ? this.#text() : this.#input(),
      closed: this.#in(12) ? [this.#random.below(3)] : [],
      kind: this.#of(['pipe', 'pipe', 'file', 'null', 'halves']),
    };
  }

  #operands(verb: string): (string | Buffer)[] {
    const queue = this.#in(15)
      ? this.#of(['', '.x', '-', 'a b', 'q\u00fc', 'x'.repeat(201), '-5', '0'])
      : this.#of(QUEUES);
    if (verb === 'put') return [queue, ...Array.from({ length: this.#random.below(4) }, () => this.#text())];
    if (verb === 'get') return [queue, ...(this.#in(3) ? [this.#of(QUEUES)] : [])];
    const lease = () => this.#of(['LEASE', 'LEASE', '1.x', 'x', '5', '1.', '1.A']);
    if (verb === 'extend') return [queue, lease(), this.#duration()];
    if (verb === 'done' || verb === 'fail')
      return [queue, lease(), ...(this.#in(3) ? [lease(), lease()] : [])];
    return this.#in(10) ? [queue, 'more'] : [queue];
  }

  #options(verb: string): string[] {
    // Nothing here may wait: what would be got or stored then is another matter.
    const options =
      verb === 'put' || verb === 'get' || verb === 'join'
        ? [this.#of(['-n', '-t0', '-t=0.1', '--timeout=50ms', '-nq'])]
        : [];
    for (let i = this.#random.below(3); i > 0; i--) {
      options.push(
        ...this.#of([
          ['-q'],
          ['-0'],
          ['-w'],
          ['-0w'],
          ['--lease', this.#duration()],
          ['--delay', this.#duration()],
          [`--ttl=${this.#duration()}`],
          ['-p', this.#of(['0', '-5', '7', '2147483648', 'x', ''])],
          ['--key', this.#of(['k', 'l', '', 'k\u00e9', '\ufffd', 'x'.repeat(1025)])],
          ['--id', 'old'],
          ['--whole=1'],
          ['--frob'],
          ['--help'],
          ['-n'],
          ['-c', '2'],
          ['--json'],
          ['--no-start'],
          ['-t'],
        ]),
      );
    }
    return options;
  }

  #duration(): string {
    return this.#of([
      '1h',
      '1.5h',
      '90m',
      '1h30m',
      '.5d',
      '3600',
      '100000w',
      '0',
      '1m1h',
      '1h 1m',
      '-1',
      '36525d',
      '36526d',
      '',
      'x',
      '59.9999m',
      '1e9',
    ]);
  }

  #text(): Buffer {
    const random = this.#random;
    if (this.#in(12)) return Buffer.alloc(this.#of(EDGES), 'x');
    // An argument holds no NUL.
    const byte = this.#of([
      () => 1 + random.below(255),
      () => 0x61 + random.below(26),
      () => this.#of([0x0a, 0xef, 0xbf, 0xbd, 0x0d, 0x2d]),
    ]);
    return Buffer.from(Array.from({ length: random.below(20) }, byte));
  }

  #input(): Buffer {
    const random = this.#random;
    if (this.#in(4)) {
      const size = this.#of(EDGES);
      const bytes = Buffer.alloc(size, 'y');
      for (let i = random.below(5); i > 0; i--) bytes[random.below(size)] = this.#of([NUL, 0x0a, 0xff]);
      if (this.#in(2)) bytes[size - 1] = 0x0a;
      return bytes;
    }
    return Buffer.from(
      Array.from({ length: random.below(30) }, () => this.#of([NUL, 0x0a, 0x0a, 0x61, 0xff, 0xc3])),
    );
  }

  #swap(words: (string | Buffer)[]): void {
    const [from, to] = [1, 1].map((least) => least + this.#random.below(words.length - 1)) as [
      number,
      number,
    ];
    [words[from], words[to]] = [words[to] as string, words[from] as string];
  }

  #of<T>(choices: readonly T[]): T {
    return this.#random.of(choices);
  }

  #in(n: number): boolean {
    return this.#random.below(n) === 0;
  }
}

/** By bash, which alone can hand on bytes that are no UTF-8, and close descriptors. */
async function runLine(
  line: Line,
  leases: readonly string[],
  env: NodeJS.ProcessEnv,
  home: string,
): Promise<Ran> {
  const folder = mkdtempSync(join(tmpdir(), 'mq-line-'));
  const latest = leases.at(-1) ?? '1.gone';
  const words = line.words.map((word) => (word.toString('latin1') === 'LEASE' ? Buffer.from(latest) : word));
  writeFileSync(join(folder, 'input'), line.input);
  const redirections = line.closed.map((fd) => `${fd}>&-`).join(' ');
  const command = `exec "$MQ" ${words.map(quoted).join(' ')} ${redirections}`;
  writeFileSync(join(folder, 'script'), Buffer.from(command, 'latin1'));
  const input = openSync(line.kind === 'file' ? join(folder, 'input') : '/dev/null', 'r');
  const child = spawn('bash', [join(folder, 'script')], {
    // Bytes are no characters to bash.
    env: { ...env, MQ: BIN, MQ_HOME: home, LC_ALL: 'C' },
    stdio: [line.kind === 'pipe' || line.kind === 'halves' ? 'pipe' : input, 'pipe', 'pipe'],
  });
  closeSync(input);
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk));
  child.stdin?.on('error', () => {});
  if (line.kind === 'halves') {
    const half = line.input.length >> 1;
    child.stdin?.write(line.input.subarray(0, half));
    setTimeout(() => child.stdin?.end(line.input.subarray(half)), 80);
  } else child.stdin?.end(line.input);
  return new Promise((resolve) => {
    child.on('close', (status, signal) => {
      rmSync(folder, { recursive: true });
      resolve({
        status,
        signal,
        out: Buffer.concat(out).toString('latin1'),
        err: Buffer.concat(err).toString(),
      });
    });
  });
}

function quoted(word: Buffer): string {
  return `'${word.toString('latin1').replaceAll("'", "'\\''")}'`;
}

/** Without what differs from folder to folder: its path, and what is random in leases. */
function normal({ out, err, ...ran }: Ran, home: string): Ran {
  const same = (text: string) =>
    text
      .replaceAll(home, 'HOME')
      .replace(/"(put_at|lease_until)":"[^"]*"/g, '')
      .replace(/\b(\d+)\.[0-9a-z]{2,}/g, '$1.x');
  return { ...ran, out: same(out), err: same(err) };
}

/** All messages, in their order, and what is known of the queues besides times. */
async function storeOf(mq: Mq): Promise<unknown> {
  const queues = (await mq.run(['ls', '--json'])).out
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  const messages: string[] = [];
  for (const { name } of queues) {
    const { out } = await mq.run(['peek', '-qc', '100000', '--json', name]);
    messages.push(...out.split('\n').map((line) => line.replace(/"put_at":"[^"]*"/, '')));
  }
  const times = ['oldest_at', 'put_rate', 'done_rate', 'consumers'];
  return {
    queues: queues.map((queue) => ({ ...queue, ...Object.fromEntries(times.map((time) => [time, 0])) })),
    messages,
  };
}

function shown({ words, input, closed, kind }: Line): string {
  const text = words.map((word) => word.toString('latin1').slice(0, 60));
  return JSON.stringify({
    words: text,
    kind,
    closed,
    input: input.length,
    begins: input.toString('latin1').slice(0, 60),
  });
}
