import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import {
  BIN,
  call,
  ended,
  env,
  folder,
  missing,
  output,
  QUICK,
  type Row,
  sh,
  start,
  until,
} from './measure.ts';

/** Target for the ratio of mq's time to that of the peer, for commands that scripts repeat. */
const MOST = 0.6;

/** Calls in one measurement. */
const CALLS = 20;

const WAITING = QUICK ? 100 : 1000;

/** The front by itself, which is mq where it was installed; bin/mq of a checkout is a script that becomes it. */
const MQ = join(folder, 'mq');

/** The time of each call of a script with the native front, beside redis-cli and a server that syncs as often. */
export function front(): Row[] {
  const socket = join(folder, 'front.sock');
  const rounds = QUICK ? 3 : 15;
  const loops = QUICK ? 100 : 1000;
  const hasFront = output(BIN, '--version').includes('(native front)');
  const skip = hasFront ? missing('redis-server', 'redis-cli') : 'no native front: no C compiler';
  let prepared: Promise<void> | undefined;
  const prepare = () => (prepared ??= startServer(socket));
  const beside = { unit: 'ms', rounds, skip, most: MOST, prepare } as const;
  const cli = `redis-cli -s ${socket}`;
  return [
    {
      ...beside,
      name: 'front-put',
      what: 'mq put q x',
      peer: 'redis-cli RPUSH q x, AOF always',
      mq: () => each('"$mq" put q x'),
      other: () => each(`${cli} RPUSH q x`),
    },
    {
      ...beside,
      name: 'front-get',
      what: 'mq get q',
      peer: 'redis-cli LPOP q, AOF always',
      prepare: async () => {
        await prepare();
        const count = rounds * CALLS;
        await sh(`seq ${count} | "$mq" put q; ${cli} RPUSH q $(seq ${count}) >/dev/null`);
      },
      mq: () => each('"$mq" get q'),
      other: () => each(`${cli} LPOP q`),
    },
    {
      ...beside,
      name: 'front-stdin',
      what: 'echo x | mq put q',
      peer: 'echo x | redis-cli -x RPUSH q',
      mq: () => each('echo x | "$mq" put q'),
      other: () => each(`echo x | ${cli} -x RPUSH q`),
    },
    {
      ...beside,
      name: 'front-loop',
      what: `${loops} times x=$(mq get a); mq put b "$x"`,
      peer: 'the same with redis-cli',
      rounds: QUICK ? 1 : 3,
      mq: async () => {
        await sh(`seq ${loops} | "$mq" put a`);
        return 1000 * (await bash(`for i in {1..${loops}}; do x=$("$mq" get a); "$mq" put b "$x"; done`));
      },
      other: async () => {
        await sh(`${cli} RPUSH a $(seq ${loops}) >/dev/null`);
        return (
          1000 *
          (await bash(`for i in {1..${loops}}; do x=$(${cli} LPOP a); ${cli} RPUSH b "$x" >/dev/null; done`))
        );
      },
    },
    {
      ...beside,
      name: 'front-handover',
      what: 'mq put until a waiting mq get has printed',
      peer: 'RPUSH and BLPOP by redis-cli',
      rounds: QUICK ? 5 : 40,
      mq: () => handover('"$mq" get h', '"$mq" put h x', () => consumers('h') === 1),
      other: () =>
        handover(`${cli} BLPOP h 0`, `${cli} RPUSH h x`, () =>
          output('redis-cli', '-s', socket, 'INFO', 'clients').includes('blocked_clients:1'),
        ),
    },
    ...memory(hasFront ? undefined : skip),
  ];
}

/** Memory while many gets wait. They are started once, for both rows. */
function memory(skip: string | undefined): Row[] {
  let shell: ChildProcess | undefined;
  const prepare = async () => {
    if (shell !== undefined) return;
    await call(BIN, 'create', 'w');
    const script = `for i in $(seq ${WAITING}); do "$mq" get w >/dev/null & done; wait`;
    shell = start('sh', ['-c', script], { env: { ...env, mq: MQ } });
    await until(() => consumers('w') === WAITING, 120_000);
  };
  const row = { peer: '', unit: 'MB', rounds: 1, skip, prepare } as const;
  return [
    {
      ...row,
      name: 'front-memory',
      what: `PSS of ${WAITING} waiting mq get`,
      most: 1000,
      mq: async () => {
        const pid = shell?.pid;
        const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ');
        return children.reduce((sum, child) => sum + pssOf(child), 0);
      },
    },
    {
      ...row,
      name: 'front-memory-daemon',
      what: 'PSS of the daemon then',
      most: 150,
      mq: async () => {
        const pss = pssOf(String(JSON.parse(output(BIN, 'status', '--json')).pid));
        await sh(`seq ${WAITING} | "$mq" put w`);
        await ended(shell as ChildProcess, 'gets');
        shell = undefined;
        return pss;
      },
    },
  ];
}

async function startServer(socket: string): Promise<void> {
  symlinkSync(resolve('dist/mq-front'), MQ);
  await sh('"$mq" put q x; "$mq" create h');
  // A folder of its own: the server of another row has a file of the same name.
  const dir = join(folder, 'front-redis');
  mkdirSync(dir);
  const options = ['--port', '0', '--unixsocket', socket, '--dir', dir, '--save', ''];
  start('redis-server', [...options, '--appendonly', 'yes', '--appendfsync', 'always']);
  await until(() => existsSync(socket));
}

/** Milliseconds of one of many calls by bash, as a script makes them: a small process starts them. */
async function each(command: string): Promise<number> {
  return (1000 * (await bash(`for i in {1..${CALLS}}; do ${command} >/dev/null; done`))) / CALLS;
}

async function bash(script: string): Promise<number> {
  const begun = performance.now();
  await ended(start('bash', ['-ec', script], { env: { ...env, mq: MQ } }), script);
  return (performance.now() - begun) / 1000;
}

/** Milliseconds from the start of `put` until `get`, which waits, has printed: by bash, as in `each`. */
async function handover(get: string, put: string, waits: () => boolean): Promise<number> {
  const script = `exec 3< <(${get}); read; begun=$EPOCHREALTIME
    ${put} >/dev/null & read -u 3; now=$EPOCHREALTIME; wait; cat <&3 >/dev/null
    echo $(( \${now/./} - \${begun/./} ))`;
  const shell = start('bash', ['-c', script], {
    env: { ...env, mq: MQ, LC_ALL: 'C' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exit = ended(shell, script);
  await until(waits);
  shell.stdin?.end('\n');
  const [microseconds] = await once(shell.stdout as Readable, 'data');
  await exit;
  return Number(microseconds) / 1000;
}

function consumers(queue: string): number {
  try {
    return Number(JSON.parse(output(BIN, 'stat', '--json', queue)).consumers);
  } catch {
    // The queue is not there yet.
    return 0;
  }
}

/** The proportional set size of a process in MB (proc_pid_smaps(5)). */
function pssOf(pid: string): number {
  const [, kilobytes] = /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1')) ?? [];
  return Number(kilobytes) / 1024;
}
