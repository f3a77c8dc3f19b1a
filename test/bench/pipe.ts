import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { BIN, ended, folder, median, missing, QUICK, type Row, sh, start, until } from './measure.ts';

/** Two ends of a pipe, and two Unix sockets with a socat between them: the same three processes. */
export function pipe(): Row[] {
  const megabytes = QUICK ? 200 : 1000;
  const lines = QUICK ? 500 : 1000;
  const skip = missing('socat');
  return [
    {
      name: 'pipe',
      what: `${megabytes} MB through mq pipe --send and --recv`,
      peer: 'socat between two Unix sockets',
      unit: 'MB/s',
      rounds: QUICK ? 3 : 5,
      skip,
      least: 0.5,
      prepare: async () => {
        await sh(`head -c ${megabytes}000000 /dev/urandom >bytes`);
      },
      mq: async () =>
        megabytes /
        (await sh('"$mq" pipe b --send <bytes & "$mq" pipe b --recv >copy; wait $!; cmp copy bytes')),
      other: async () => {
        const middle = middleman('-u');
        await until(() => existsSync(SENDER));
        const sender = run('sh', ['-c', `socat -u - UNIX-CONNECT:${SENDER} <bytes`]);
        await until(() => existsSync(RECEIVER));
        const seconds = await sh(`socat -u UNIX-CONNECT:${RECEIVER} - >copy; cmp copy bytes`);
        await Promise.all([middle, sender]);
        return megabytes / seconds;
      },
    },
    {
      name: 'pipe-latency',
      what: 'a line to an mq pipe -- cat and back',
      peer: 'three socats, one with EXEC:cat',
      unit: 'ms',
      // The kernel places three processes on two cores differently in each round: it takes many.
      rounds: QUICK ? 5 : 15,
      skip,
      most: 2,
      mq: async () => {
        const far = run(BIN, ['pipe', 'l', '--', 'cat']);
        return roundTrips(lines, [far], BIN, ['pipe', 'l']);
      },
      other: async () => {
        const middle = middleman();
        await until(() => existsSync(SENDER));
        const far = until(() => existsSync(RECEIVER)).then(() =>
          run('socat', [`UNIX-CONNECT:${RECEIVER}`, 'EXEC:cat']),
        );
        return roundTrips(lines, [middle, far], 'socat', ['-', `UNIX-CONNECT:${SENDER}`]);
      },
    },
  ];
}

const SENDER = join(folder, 'sender.sock');
const RECEIVER = join(folder, 'receiver.sock');

/** Runs socat between two sockets. It listens on the second one once somebody has connected to the first. */
function middleman(...options: string[]): Promise<void> {
  return run('socat', [...options, `UNIX-LISTEN:${SENDER}`, `UNIX-LISTEN:${RECEIVER}`]);
}

/** Runs a command; fulfilled when it has ended with status 0. */
function run(command: string, args: string[]): Promise<void> {
  return ended(start(command, args), [command, ...args].join(' '));
}

/** Lines before the measured ones: V8 compiles the code that carries them meanwhile. */
const WARM_UP = 500;

/** The median of the times that a line takes through a process and back, in ms. */
async function roundTrips(
  lines: number,
  others: Promise<void>[],
  command: string,
  args: string[],
): Promise<number> {
  const near = start(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const { stdin, stdout } = near as ChildProcessByStdio<Writable, Readable, null>;
  const all = [ended(near, command), ...others];
  const times: number[] = [];
  for (let i = 0; i < WARM_UP + lines; i++) {
    const back = once(stdout, 'data');
    const begun = performance.now();
    stdin.write('hello\n');
    await back;
    times.push(performance.now() - begun);
  }
  stdin.end();
  await Promise.all(all);
  return median(times.slice(WARM_UP));
}
