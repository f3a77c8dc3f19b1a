import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from './mq.ts';

const home = mkdtempSync(join(tmpdir(), 'mq-completion-'));
const env = { HOME: home, MQ_HOME: home, PATH: `${resolve('bin')}:${process.env['PATH']}`, TERM: 'dumb' };

beforeAll(() => {
  for (const queue of ['jobs', 'job:a', 'job:bcd', 'urgent']) mq('put', queue, 'hello');
});

afterAll(() => {
  mq('stop');
  rmSync(home, { recursive: true });
});

describe('mq completion complete', () => {
  test('offers commands', () => {
    expect(choices('p')).toEqual(['put', 'pipe', 'peek', 'pause', 'purge']);
    expect(choices('-q', 'pu')).toEqual(['put', 'purge']);
    expect(choices('--q')).toEqual(['--quiet']);
    expect(choices('unknown', '')).toEqual([]);
  });

  test('offers the queues that there are, for each operand that is one', () => {
    const queues = ['job:a', 'job:bcd', 'jobs', 'urgent'];
    expect(choices('get', '')).toEqual(queues);
    expect(choices('get', 'jobs', 'u')).toEqual(['urgent']);
    expect(choices('move', 'jobs', '')).toEqual(queues);
    expect(choices('put', '')).toEqual(queues);
    expect(choices('work', 'jobs', '--into', '')).toEqual(queues);
    expect(choices('create', '--dead-letter', 'u')).toEqual(['urgent']);
    expect(choices('peek', 'jobs', '')).toEqual([]);
    expect(choices('ls', 'job:')).toEqual(['job:a', 'job:bcd']);
    expect(choices('ls', '--state', 'w')).toEqual(['waiting']);
    expect(choices('work', 'jobs', '-j', '2', 'u')).toEqual(['urgent']);
  });

  test('offers the pipes that wait for a second end, and no queues, to mq pipe', async () => {
    const waiting = spawn('mq', ['pipe', 'talk'], { env, stdio: ['ignore', 'pipe', 'ignore'] });
    await until(() => choices('pipe', '').length > 0);
    expect(choices('pipe', 't')).toEqual(['talk']);
    expect(choices('get', 't')).toEqual([]);
    waiting.kill('SIGKILL');
    await until(() => choices('pipe', '').length === 0);
  });

  test('offers the options of a command, with those that all commands have', () => {
    expect(choices('put', '--p')).toEqual(['--priority', '--print-id']);
    expect(choices('put', '--')).toContain('--no-start');
    expect(choices('put', '-')).toContain('-0');
    expect(choices('get', '--prio')).toEqual([]);
  });

  test('offers the kinds of queue', () => {
    expect(choices('create', 'q', '--kind', '')).toEqual(['fifo', 'lifo', 'priority']);
    expect(choices('create', 'q', '--kind=l')).toEqual(['--kind=lifo']);
  });

  test('tells the values of options from operands', () => {
    for (const option of [['-t', '5s'], ['-t5s'], ['--timeout=5s'], ['-nq'], ['-nt', '5s']]) {
      expect(choices('put', ...option, 'u')).toEqual(['urgent']);
      expect(choices('put', ...option, 'jobs', '')).toEqual([':files']);
    }
    expect(choices('get', '--timeout', '')).toEqual([]);
    expect(choices('get', '--', 'u')).toEqual(['urgent']);
    expect(choices('get', '--', '-')).toEqual([]);
  });

  test('leaves files and the command lines of others to the shell', () => {
    expect(choices('put', 'jobs', '')).toEqual([':files']);
    expect(choices('work', 'jobs', '-j', '4', '--', '')).toEqual([':command 6']);
    expect(choices('-q', 'pipe', 'talk', '--', 'tr', '-')).toEqual([':command 5']);
    expect(choices('put', 'jobs', '--', '-')).toEqual([':files']);
  });

  test('starts a daemon only where there is a store, and one is allowed', () => {
    const elsewhere = join(home, 'elsewhere');
    const nothing = { stdout: '', stderr: '', status: 0 };
    expect(run('mq', ['completion', 'complete', '--', 'get', ''], elsewhere)).toMatchObject(nothing);
    expect(run('mq', ['status'], elsewhere).status).toBe(69);
    run('mq', ['put', 'other', 'hello'], elsewhere);
    run('mq', ['stop'], elsewhere);
    const dont = ['completion', 'complete', '--', 'get', '--no-start', ''];
    expect(run('mq', dont, elsewhere)).toMatchObject(nothing);
    expect(run('mq', ['status'], elsewhere).status).toBe(69);
    const { stdout } = run('mq', ['completion', 'complete', '--', 'get', ''], elsewhere);
    expect(stdout).toBe('other\t1 waiting\n');
    run('mq', ['stop'], elsewhere);
  });
});

test('an unknown shell is wrong usage', () => {
  expect(run('mq', ['completion', 'csh']).status).toBe(2);
  expect(run('mq', ['completion', 'bash', 'zsh']).status).toBe(2);
});

describe.skipIf(!has('bash'))('in bash', () => {
  /** The offers of bash, for words as bash cuts them. */
  const reply = (...words: string[]) =>
    lines(
      'bash',
      `eval "$(mq completion bash)"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _mq; printf '%s\\n' "\${COMPREPLY[@]}"`,
      'bash',
      'mq',
      ...words,
    );

  test('completes commands, queues and kinds', () => {
    expect(reply('pe')).toEqual(['peek']);
    expect(reply('get', 'u')).toEqual(['urgent']);
    expect(reply('create', 'q', '--kind', '=', 'l')).toEqual(['lifo']);
    expect(reply('create', 'q', '--kind', '=')).toEqual(['fifo', 'lifo', 'priority']);
  });

  test('completes a name with a colon, where bash ends a word', () => {
    expect(reply('get', 'job', ':', 'b')).toEqual(['bcd']);
    expect(reply('get', 'job', ':')).toEqual(['a', 'bcd']);
    expect(reply('get', 'job', ':', 'a', 'ur')).toEqual(['urgent']);
  });

  test('evaluates nothing of the line', () => {
    expect(reply('put', 'jobs', '$(touch', 'evaluated)', '>', 'evaluated', '')).toEqual([]);
    expect(existsSync(join(home, 'evaluated'))).toBe(false);
  });

  test('the script can be read twice', () => {
    expect(lines('bash', 'for i in 1 2; do eval "$(mq completion bash)"; done 2>&1')).toEqual([]);
  });
});

/** How an interactive shell is started, with the completion read, and a key that writes the line to $LINE. */
const INTERACTIVE = {
  bash: {
    start: 'exec bash --rcfile "$RC" -i',
    rc: `eval "$(mq completion bash)"; bind -x '"\\C-x\\C-l": printf %s "$READLINE_LINE" > "$LINE"'\n`,
  },
  zsh: {
    start: 'exec zsh -f -i',
    rc: 'autoload -U compinit; compinit -u -D; eval "$(mq completion zsh)"; line() { print -rn -- "$BUFFER" > "$LINE" }; zle -N line; bindkey -e; bindkey "^X^L" line\n',
  },
  fish: {
    start: 'exec fish --no-config --init-command "source $RC"',
    rc: `mq completion fish | source; bind \\cx\\cl 'string join "" -- (commandline) > $LINE'\n`,
  },
} as const;

describe.each(['bash', 'zsh', 'fish'] as const)('the key Tab in %s', (shell) => {
  const cases = [
    ['a command', 'mq pee', 'mq peek'],
    ['a queue', 'mq get ur', 'mq get urgent'],
    ['a queue with a colon', 'mq get job:b', 'mq get job:bcd'],
    ['a kind', 'mq create q --kind=l', 'mq create q --kind=lifo'],
    ['a file to read from', 'mq put jobs < some-f', 'mq put jobs < some-file'],
    ['a file to write to', 'mq get -a jobs 2>/dev/null > some-f', 'mq get -a jobs 2>/dev/null > some-file'],
    // fish does not say which word is the file.
    shell === 'fish'
      ? ['a queue', 'mq put ur', 'mq put urgent']
      : ['a queue behind a redirection', 'mq put < some-file ur', 'mq put < some-file urgent'],
    ['a message that names a file', 'mq put jobs some-f', 'mq put jobs some-file'],
    ['a command to run', 'mq work jobs -j 4 -- base6', 'mq work jobs -j 4 -- base64'],
    ['an argument of that', 'mq work jobs -- base64 some-f', 'mq work jobs -- base64 some-file'],
    ['a command for a pipe', 'mq pipe talk -- base6', 'mq pipe talk -- base64'],
  ] as const;

  test.skipIf(!has(shell) || !hasScript())('completes what stands there', async () => {
    const files = { RC: join(home, `rc.${shell}`), LINE: join(home, `line.${shell}`) };
    writeFileSync(join(home, 'some-file'), '');
    const { start, rc } = INTERACTIVE[shell];
    writeFileSync(files.RC, rc);
    const terminal = spawn('script', ['-qec', start, '/dev/null'], {
      env: { ...env, ...files, TERM: 'xterm', SHELL: '/bin/sh', PS1: '$ ' },
      cwd: home,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    let seen = '';
    terminal.stdout.on('data', (chunk) => {
      seen += chunk;
    });
    try {
      if (shell === 'zsh') terminal.stdin.write('source $RC\r');
      const completed: string[] = [];
      for (const [, typed] of cases) {
        rmSync(files.LINE, { force: true });
        // The line is emptied first, and written down when Tab has done its work.
        terminal.stdin.write(`\x15${typed}\t\x18\x0c`);
        await until(() => existsSync(files.LINE) && readFileSync(files.LINE, 'utf8') !== '');
        completed.push(readFileSync(files.LINE, 'utf8').trimEnd());
      }
      expect(completed, seen).toEqual(cases.map(([, , line]) => line));
    } finally {
      terminal.kill('SIGKILL');
    }
  });
});

function choices(...words: string[]): string[] {
  const answer = mq('completion', 'complete', '--', ...words).split('\n');
  expect(answer.pop()).toBe('');
  return answer.map((line) => line.split('\t')[0] as string);
}

function mq(...args: string[]): string {
  const { stdout, stderr, status } = run('mq', args);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

/** The lines that a shell prints which runs `script`. */
function lines(shell: string, script: string, ...args: string[]): string[] {
  const norc = { bash: '--norc', zsh: '-f', fish: '--no-config' }[shell] as string;
  const { stdout } = run(shell, [norc, '-c', script, ...args]);
  return stdout.split('\n').filter(Boolean);
}

function run(command: string, args: string[], mqHome = home) {
  return spawnSync(command, args, {
    env: { ...env, MQ_HOME: mqHome },
    cwd: home,
    encoding: 'utf8',
    timeout: 30_000,
  });
}

function hasScript(): boolean {
  const { error, stdout } = spawnSync('script', ['--version'], { encoding: 'utf8' });
  return error === undefined && stdout.includes('util-linux');
}

function has(shell: string): boolean {
  return spawnSync(shell, ['-c', 'exit 0']).status === 0;
}
