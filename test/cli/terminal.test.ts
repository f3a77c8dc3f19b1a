import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { type Mq, type Running, test, until } from './mq.ts';

const version = spawnSync('script', ['--version'], { encoding: 'utf8' });
const hasScript = version.stdout?.includes('util-linux') ?? false;
const hasFront = process.env['MQ_FRONT'] !== '0';
const title = `mq work on a terminal${hasScript ? '' : ' (script(1) is not that of util-linux)'}`;

const [CTRL_C, CTRL_Z] = ['\x03', '\x1a'];

describe.skipIf(!hasScript)(title, () => {
  test.skipIf(!hasFront)(
    'Ctrl-Z stops it and its commands, and keeps the leases; fg goes on, and nothing is worked on twice',
    async ({ mq }) => {
      await mq.run(['put', 'q', 'a', 'b', 'c']);
      const [go, pids, ended] = ['go', 'pids', 'ended'].map((name) => join(mq.home, name)) as [
        string,
        string,
        string,
      ];
      const command = join(mq.home, 'command');
      writeFileSync(
        command,
        `echo $$ >>${pids}; until [ -e ${go} ]; do sleep 0.02; done; echo "$1 $MQ_ATTEMPT" >>${ended}\n`,
      );
      const shell = onTerminal(mq);
      type(shell, `mq work q -j 2 --lease 1s --drain -- sh ${command} {}\n`);
      await until(() => linesOf(pids).length === 2);
      type(shell, CTRL_Z as string);
      await until(() => linesOf(pids).every(isStopped));
      await until(() => shell.out().includes('Stopped'));
      // Nothing new begins, and the leases would have run out.
      await delay(2500);
      expect(await mq.stat('q')).toMatchObject({ waiting: 1, leased: 2, failed: 0 });
      expect(linesOf(pids)).toHaveLength(2);
      type(shell, 'fg\n');
      await until(() => !linesOf(pids).some(isStopped));
      writeFileSync(go, '');
      await until(() => linesOf(ended).length === 3);
      type(shell, 'exit $?\n');
      expect((await shell.done).status).toBe(0);
      expect(linesOf(ended).sort()).toEqual(['a 1', 'b 1', 'c 1']);
      expect(await mq.stat('q')).toMatchObject({ done: 3, failed: 0 });
    },
  );

  test('--tty: the command has the terminal, reads what is typed there, and comes alone', async ({ mq }) => {
    await mq.run(['put', 'q', 'a', 'b']);
    const ask = join(mq.home, 'ask');
    writeFileSync(
      ask,
      'printf "name of $1? "; read -r x; echo "<$1 $x>"; [ -t 0 ] && [ -t 1 ] && [ -t 2 ]\n',
    );
    const shell = onTerminal(mq);
    type(shell, `mq work q --tty --drain -- sh ${ask} {}\n`);
    for (const name of ['a', 'b']) {
      await until(() => shell.out().includes(`name of ${name}? `));
      type(shell, 'yes\n');
      await until(() => shell.out().includes(`<${name} yes>`));
    }
    type(shell, 'exit $?\n');
    expect((await shell.done).status).toBe(0);
    expect(await mq.stat('q')).toMatchObject({ done: 2, failed: 0 });
    expect((await mq.run(['work', 'q', '--tty', '-j', '2', '--', 'true'])).status).toBe(2);
  });

  test('without --tty a command that would ask fails', async ({ mq }) => {
    await mq.run(['create', 'q', '--max-attempts', '1']);
    await mq.run(['put', 'q', 'a']);
    const shell = onTerminal(mq);
    type(shell, `mq work q --drain -- sh -c 'read x </dev/tty'; exit $?\n`);
    expect((await shell.done).status).toBe(123);
  });

  test('--tty: Ctrl-C is the command’s, and for work too where the command dies of it', async ({ mq }) => {
    await mq.run(['create', 'q', '--max-attempts', '1']);
    await mq.run(['put', 'q', 'trapped', 'dies', 'left']);
    const command = join(mq.home, 'command');
    writeFileSync(
      command,
      `[ $1 = trapped ] && trap 'echo; echo "caught it"; exit 0' INT; echo "begins $1."; while :; do sleep 0.02; done\n`,
    );
    const shell = onTerminal(mq);
    type(shell, `mq work q --tty -- sh ${command} {}\n`);
    await until(() => shell.out().includes('begins trapped.'));
    type(shell, CTRL_C as string);
    await until(() => shell.out().includes('caught it'));
    await until(() => shell.out().includes('begins dies.'));
    type(shell, CTRL_C as string);
    await until(async () => (await mq.stat('q'))['leased'] === 0);
    type(shell, 'echo "status $?"; exit\n');
    await until(() => shell.out().includes('status 130'));
    await shell.done;
    expect(await mq.stat('q')).toMatchObject({ done: 1, failed: 1, waiting: 1, leased: 0 });
  });

  test.skipIf(!hasFront)('--tty: Ctrl-Z stops the command with it, and fg goes on', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    const [go, pid] = [join(mq.home, 'go'), join(mq.home, 'pid')];
    const shell = onTerminal(mq);
    type(
      shell,
      `mq work q --tty --drain -- sh -c 'echo $$ >${pid}; until [ -e ${go} ]; do sleep 0.02; done; read x </dev/tty; echo "<$x>"'\n`,
    );
    await until(() => linesOf(pid).length === 1);
    type(shell, CTRL_Z as string);
    await until(() => linesOf(pid).every(isStopped));
    await until(() => shell.out().includes('Stopped'));
    type(shell, 'fg\n');
    writeFileSync(go, '');
    type(shell, 'typed\n');
    await until(() => shell.out().includes('<typed>'));
    type(shell, 'exit $?\n');
    expect((await shell.done).status).toBe(0);
  });
});

/** An interactive shell on a terminal, whose keyboard is `child.stdin`. */
function onTerminal(mq: Mq): Running {
  const script = 'bash --norc --noprofile -i';
  return mq.startSh('exec script -qec "$SCRIPT" /dev/null', {
    open: true,
    env: { TERM: 'dumb', SHELL: '/bin/sh', PS1: '$ ', SCRIPT: script },
  });
}

function type({ child }: Running, keys: string): void {
  child.stdin?.write(keys);
}

function linesOf(path: string): string[] {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : [];
}

/** Whether a process is stopped (T), or waits for a child that was stopped before its exec (D; vfork(2)). */
function isStopped(pid: string): boolean {
  return /\) [TD]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}
