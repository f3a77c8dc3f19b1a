import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { type Mq, test } from './mq.ts';

const hasFront = process.env['MQ_FRONT'] !== '0';

/** Whether env(1) can block and ignore signals. */
const blocks = isRight(['env', '--block-signal=USR2', '--ignore-signal=USR1', 'true']);

function isRight([command, ...args]: [string, ...string[]]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Prints the state that a process was given, without the parts that differ from one process to the next. */
const DESCRIBE = `#!/bin/bash
grep -E '^(Umask|SigBlk|SigIgn|SigCgt|Groups|NoNewPrivs)' /proc/self/status
cat /proc/self/limits
for fd in /proc/$$/fd/*; do
  n=\${fd##*/}; [ $n = 0 ] || [ $n = 255 ] || echo "$n $(readlink $fd) $(grep flags /proc/$$/fdinfo/$n)"
done
pwd -P
nice
`;

/** Begins both with signals, descriptors, limits and an environment of a kind that Node changes. */
const GIVEN = `
export WHERE=$(printf 'caf\\351') ; greet() { echo hello; }; export -f greet
cd /; umask 027; ulimit -Sn 333; ulimit -c 0
exec 3</dev/null 7>/dev/null 9>"$MQ_HOME/lock" 20</dev/null 200>/dev/null
given() { "$@"; }
`;
const BLOCKED = `given() { env --block-signal=USR2,TERM --ignore-signal=HUP,INT,QUIT,ALRM,PIPE "$@"; }`;

describe.skipIf(!hasFront)('a command gets what xargs would give it', () => {
  const describeIn = (mq: Mq) => {
    const path = join(mq.home, 'describe');
    writeFileSync(path, DESCRIBE);
    chmodSync(path, 0o755);
    return path;
  };

  test.for([
    ['as they are', ''],
    ...(blocks ? [['with signals ignored and blocked', BLOCKED] as const] : []),
  ] as const)('descriptors, signals, limits, mask, folder: %s', async ([, more], { mq }) => {
    const path = describeIn(mq);
    const script = (runs: string) => `${GIVEN}${more}\n${runs}`;
    await mq.run(['put', 'q', 'a']);
    const xargs = await mq.sh(script(`echo a | given xargs ${path}`));
    const work = await mq.sh(script(`given mq work q --drain -- ${path} {}`));
    expect(xargs.err).toBe('');
    expect(xargs.out).toMatch(/^Umask:\s*0027$/m);
    expect(withoutPipes(work.out)).toEqual(withoutPipes(xargs.out));
    expect(work.err).toBe('');
    const recv = mq.start(['pipe', 'p', '--recv']);
    const pipe = await mq.sh(script(`given mq pipe p --send -- ${path}`));
    // Its standard output is the pipe.
    const others = (text: string) => withoutPipes(text).filter((line) => !line.startsWith('1 '));
    expect(others((await recv.done).out)).toEqual(others(xargs.out));
    expect(pipe.err).toBe('');
  });

  test.for([
    ['of a shell', ''],
    [
      'without PWD, with names that no shell takes',
      `env -i PATH="$PATH" MQ_HOME="$MQ_HOME" 'a.b=c d' 'BASH_FUNC_f%%=() { :; }'`,
    ],
    ['with a long variable', `env LONG="$(printf %0100000d 0)" $'l.o=a\\nb\\351'`],
  ] as const)('the environment %s, to the byte', async ([, prefix], { mq }) => {
    await mq.run(['put', 'q', 'a']);
    const isSame = (variable: string) => !/^(MQ_(QUEUE|ID|LEASE|ATTEMPT)|_)=/.test(variable);
    const variables = ({ stdout }: { stdout: Buffer }) =>
      stdout.toString('latin1').split('\0').filter(isSame).sort();
    const xargs = await mq.sh(`${GIVEN} echo /proc/self/environ | ${prefix} xargs cat; :`);
    const work = await mq.sh(
      `${GIVEN} ${prefix} $(command -v mq) work q --drain -- cat /proc/self/environ; :`,
    );
    expect(work.err).toBe('');
    expect(variables(work)).toEqual(variables(xargs));
    expect(variables(work)).toContain(prefix.startsWith('env -i') ? 'a.b=c d' : 'WHERE=caf\xe9');
  });

  test('a session of its own, which has no terminal', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    const { out } = await mq.run(['work', 'q', '--drain', '--', 'sh', '-c', 'ps -o pid=,pgid=,sid= -p $$']);
    const [pid, group, session] = out.trim().split(/\s+/);
    expect([group, session]).toEqual([pid, pid]);
  });

  test('a lock on a descriptor, which is free when work ends', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    const script = `( flock -n 9; mq work q --drain -- sh -c ': >&9 && flock -n ${mq.home}/lock true || echo taken' ) 9>${mq.home}/lock
      flock -n ${mq.home}/lock echo free`;
    expect(await mq.sh(script)).toMatchObject({ out: 'taken\nfree\n', err: '' });
  });
});

function withoutPipes(text: string): string[] {
  return text.replaceAll(/(pipe|socket):\[\d+\]/g, 'a pipe').split('\n');
}
