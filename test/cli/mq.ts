import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test as base } from 'vitest';
import { until } from '../until.ts';

export { until };

export const BIN = resolve('bin/mq');

/** Milliseconds after which a process that has not ended by itself, though everything was stopped, never will. */
const LAST_WAIT = 30_000;

export interface Result {
  /** The exit status; undefined when a signal ended it. */
  status: number | undefined;
  signal: NodeJS.Signals | undefined;
  stdout: Buffer;
  out: string;
  err: string;
}

export interface RunOptions {
  input?: string | Buffer;
  /** Standard input is a pipe that stays open: `child.stdin`. */
  open?: boolean;
  env?: NodeJS.ProcessEnv;
  /** File descriptors for standard input and output, instead of pipes. */
  stdin?: number;
  stdout?: number;
}

/** A command that runs: `done` when it ended. */
export interface Running {
  child: ChildProcess;
  done: Promise<Result>;
  /** Its output so far, on standard output and standard error. */
  out: () => string;
  err: () => string;
}

/** mq with a state folder of its own. */
export class Mq {
  readonly home = mkdtempSync(join(tmpdir(), 'mq-test-'));
  readonly env: NodeJS.ProcessEnv = {
    ...process.env,
    MQ_HOME: this.home,
    MQ_SOCKET: '',
    MQ_NO_START: '',
    NO_COLOR: '1',
  };
  readonly #running = new Set<ChildProcess>();
  #unended: ChildProcess[] | undefined;
  #hasEnded = false;

  /** Starts `mq ARGS...`. */
  start(args: string[], options: RunOptions = {}): Running {
    return this.#spawn(BIN, args, options);
  }

  /** Runs `mq ARGS...` to its end. */
  run(args: string[], input?: string | Buffer, options: RunOptions = {}): Promise<Result> {
    return this.start(args, { ...options, ...(input !== undefined && { input }) }).done;
  }

  /** Runs a script with bash, in which `mq` is mq. */
  sh(script: string, options: RunOptions = {}): Promise<Result> {
    return this.startSh(script, options).done;
  }

  startSh(script: string, options: RunOptions = {}): Running {
    const path = `${resolve('bin')}:${process.env['PATH']}`;
    return this.#spawn('bash', ['-c', script], {
      ...options,
      env: { ...this.env, ...options.env, PATH: path },
    });
  }

  get store(): string {
    return join(this.home, 'mq.db');
  }

  get socket(): string {
    return join(this.home, 'mq.sock');
  }

  get log(): string {
    return readFileSync(join(this.home, 'mq.log'), 'utf8');
  }

  /** The pid of the daemon that has the store, undefined: none says so. */
  daemonPid(): number | undefined {
    try {
      return (JSON.parse(readFileSync(join(this.home, 'daemon.json'), 'utf8')) as { pid: number }).pid;
    } catch {
      return undefined;
    }
  }

  /** Kills the daemon as the kernel would, and waits until it is gone. */
  async killDaemon(): Promise<number> {
    const pid = this.daemonPid() as number;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended already.
    }
    await until(() => !isAlive(pid));
    return pid;
  }

  /** Waits until so many commands wait on (or hold of) a queue. */
  async untilConsumers(queue: string, count: number): Promise<void> {
    await until(async () => (await this.stat(queue))['consumers'] === count);
  }

  async stat(queue: string): Promise<Record<string, unknown>> {
    const { status, out } = await this.run(['stat', '--json', queue]);
    return status === 0 ? (JSON.parse(out) as Record<string, unknown>) : {};
  }

  async size(queue: string): Promise<number> {
    return Number((await this.run(['size', queue])).out);
  }

  /** The commands that were running when the test was over. */
  unended(): string[] {
    const running = this.#unended ?? [...this.#running];
    return running.map(({ spawnargs }) => spawnargs.join(' '));
  }

  /** Stops everything, and says what should not have been left. */
  async end(): Promise<void> {
    try {
      await this.#end();
    } finally {
      this.#hasEnded = true;
    }
  }

  async #end(): Promise<void> {
    this.#unended = [...this.#running];
    for (const child of this.#running) child.kill('SIGKILL');
    await this.#stop();
    const deadline = performance.now() + LAST_WAIT;
    await until(() => processesOf(this.home).length === 0 || performance.now() > deadline);
    const left = processesOf(this.home).map((pid) => [pid, `${pid} ${commandOf(pid)}`] as const);
    for (const [pid] of left) process.kill(pid, 'SIGKILL');
    rmSync(this.home, { recursive: true, force: true });
    if (left.length > 0) throw new Error(`left behind: ${left.map(([, what]) => what).join('; ')}`);
  }

  /** Ends the daemon and who waits for it. */
  async #stop(): Promise<void> {
    const daemon = this.daemonPid();
    const mine = processesOf(this.home);
    if (mine.length === 0) return;
    // A signal does as well as a command, which costs more, where nobody is left who would start the next daemon.
    if (daemon !== undefined && mine.every((pid) => pid === daemon)) process.kill(daemon, 'SIGTERM');
    else await this.run(['stop']);
  }

  #spawn(file: string, args: string[], { input, open, env, stdin, stdout }: RunOptions): Running {
    // A test that has timed out may still be waiting for something.
    if (this.#hasEnded) throw new Error('the test has ended');
    const child = spawn(file, args, {
      env: env ?? this.env,
      stdio: [stdin ?? (open || input !== undefined ? 'pipe' : 'ignore'), stdout ?? 'pipe', 'pipe'],
    });
    this.#running.add(child);
    const chunks: Buffer[] = [];
    const errors: Buffer[] = [];
    child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => errors.push(chunk));
    // A command may end before it has read everything.
    child.stdin?.on('error', () => {});
    if (input !== undefined) child.stdin?.end(input);
    const done = new Promise<Result>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (status, signal) => {
        this.#running.delete(child);
        const bytes = Buffer.concat(chunks);
        const out = bytes.length < 1e6 ? bytes.toString() : '';
        const err = Buffer.concat(errors).toString();
        resolve({ status: status ?? undefined, signal: signal ?? undefined, stdout: bytes, out, err });
      });
    });
    const text = (parts: Buffer[]) => Buffer.concat(parts).toString();
    return { child, done, out: () => text(chunks), err: () => text(errors) };
  }
}

/** A test that has an mq of its own, and leaves no process behind. */
export const test = base.extend<{ mq: Mq }>({
  mq: async ({ onTestFailed }, use) => {
    const mq = new Mq();
    // A test that was out of time may have waited for one of them.
    onTestFailed(() => {
      const unended = mq.unended();
      if (unended.length > 0) console.error(`had not ended: ${unended.join('; ')}`);
    });
    await use(mq);
    await mq.end();
  },
});

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie is dead, too.
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** The commands that a worker runs. */
export function commandsOf(worker: number): number[] {
  const children = childrenOf(worker);
  const [program = ''] = commandOf(worker).split(' ');
  // Before it is one, it is the shell of bin/mq.
  return program.endsWith('/sh') ? [] : children.slice(isStarter(program) ? 1 : 0);
}

/** The part of a worker that is Node: the first child of the native starter, or the worker itself. */
export function nodeOf(worker: number): number | undefined {
  const [program = ''] = commandOf(worker).split(' ');
  return isStarter(program) ? childrenOf(worker)[0] : worker;
}

function isStarter(program: string): boolean {
  return program.endsWith('/mq-front');
}

function childrenOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return children.split(' ').filter(Boolean).map(Number);
}

/** The processes that run with this state folder. */
export function processesOf(home: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return isAlive(pid) && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`MQ_HOME=${home}\0`);
      } catch {
        return false;
      }
    });
}

export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '(ended meanwhile)';
  }
}

/** The numbers 1 to n, a line each, as seq(1) prints them. */
export function seq(n: number): string {
  return Array.from({ length: n }, (_, i) => `${i + 1}\n`).join('');
}
