import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
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
    expect(choices('p')).toEqual(['put', 'pipe', 'peek', 'purge']);
  });

  test('offers the queues that there are, for each operand that is one', () => {
    const queues = ['job:a', 'job:bcd', 'jobs', 'urgent'];
    expect(choices('get', '')).toEqual(queues);
    expect(choices('get', 'jobs', 'u')).toEqual(['urgent']);
    expect(choices('move', 'jobs', '')).toEqual(queues);
    expect(choices('put', '')).toEqual(queues);
    expect(choices('put', 'jobs', '')).toEqual([]);
    expect(choices('ls', '')).toEqual([]);
    expect(choices('work', 'jobs', '-j', '2', 'u')).toEqual(['urgent']);
  });

  test('offers nothing for the COMMAND of another program', () => {
    expect(choices('work', 'jobs', '--', '')).toEqual([]);
    expect(choices('work', 'jobs', '--', 'grep', '--')).toEqual([]);
    expect(choices('pipe', 'talk', '--', '-')).toEqual([]);
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
    expect(choices('put', '--p')).toEqual(['--priority']);
    expect(choices('put', '--')).toContain('--no-start');
    expect(choices('put', '-')).toContain('-0');
    expect(choices('get', '--prio')).toEqual([]);
  });

  test('offers the kinds of queue', () => {
    expect(choices('create', 'q', '--kind', '')).toEqual(['fifo', 'lifo', 'priority']);
    expect(choices('create', 'q', '--kind=l')).toEqual(['lifo']);
  });

  test('tells the values of options from operands', () => {
    expect(choices('put', '-t', '5s', 'jobs', '')).toEqual([]);
    expect(choices('put', '-t5s', 'jobs', '')).toEqual([]);
    expect(choices('put', '--timeout=5s', 'jobs', '')).toEqual([]);
    expect(choices('put', '-nq', 'jobs', '')).toEqual([]);
    expect(choices('get', '--timeout', '')).toEqual([]);
  });

  test('starts no daemon, and says nothing when none runs', () => {
    const elsewhere = join(home, 'elsewhere');
    const { stdout, stderr, status } = run('mq', ['completion', 'complete', '--', 'get', ''], elsewhere);
    expect({ stdout, stderr, status }).toEqual({ stdout: ':4\n', stderr: '', status: 0 });
    expect(run('mq', ['status'], elsewhere).status).toBe(69);
  });
});

test('an unknown shell is wrong usage', () => {
  expect(run('mq', ['completion', 'csh']).status).toBe(2);
  expect(run('mq', ['completion', 'bash', 'zsh']).status).toBe(2);
});

describe.skipIf(!has('bash'))('in bash', () => {
  /** What bash would offer, for the words as bash cuts them. */
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
    expect(lines('bash', 'ls evaluated 2>&1 >/dev/null | wc -l')).toEqual(['1']);
  });

  test('the script can be read twice', () => {
    expect(lines('bash', 'for i in 1 2; do eval "$(mq completion bash)"; done 2>&1')).toEqual([]);
  });
});

describe.skipIf(!has('zsh'))('in zsh', () => {
  /** With the part that shows the choices replaced: zsh has it in interactive shells only. */
  const described = (...words: string[]) =>
    lines(
      'zsh',
      'compdef() { }; eval "$(mq completion zsh)"; _describe() { print -rl -- $completions }; words=("$@"); CURRENT=$#; _mq',
      'zsh',
      'mq',
      ...words,
    );

  test('completes commands, queues and kinds', () => {
    expect(described('pe')).toEqual([expect.stringMatching(/^peek:/)]);
    expect(described('get', 'u')).toEqual(['urgent:1 waiting']);
    expect(described('create', 'q', '--kind=l')).toEqual(['lifo:']);
  });

  test('completes a name with a colon', () => {
    expect(described('get', 'job:b')).toEqual(['job\\:bcd:1 waiting']);
  });
});

describe.skipIf(!has('fish'))('in fish', () => {
  const completed = (line: string) =>
    lines('fish', 'mq completion fish | source; complete -C $argv[1]', line).map(
      (each) => each.split('\t')[0],
    );

  test('completes commands, queues and kinds', () => {
    expect(completed('mq pe')).toEqual(['peek']);
    expect(completed('mq get ')).toEqual(['job:a', 'job:bcd', 'jobs', 'urgent']);
    expect(completed('mq get job:b')).toEqual(['job:bcd']);
    expect(completed('mq create q --kind=l')).toEqual(['--kind=lifo']);
  });
});

function choices(...words: string[]): string[] {
  const answer = mq('completion', 'complete', '--', ...words).split('\n');
  expect(answer.slice(-2)).toEqual([':4', '']);
  return answer.slice(0, -2).map((line) => line.split('\t')[0] as string);
}

function mq(...args: string[]): string {
  const { stdout, stderr, status } = run('mq', args);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

/** What a shell prints that runs `script`, line by line. */
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

function has(shell: string): boolean {
  return spawnSync(shell, ['-c', 'exit 0']).status === 0;
}
