import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** One row of the table: the same work by mq and by a peer. */
export interface Row {
  name: string;
  what: string;
  peer: string;
  unit: 'M/s' | 'MB/s' | 'ms' | 'MB';
  rounds: number;
  /** The reason why it cannot be measured here. */
  skip?: string | undefined;
  prepare?: () => Promise<void>;
  /** One measurement of mq, and one of the peer; they take turns. */
  mq: () => Promise<number>;
  other?: () => Promise<number>;
  /** Targets of this release: for the ratio mq / peer, or for mq's figure where there is no peer. */
  least?: number;
  most?: number;
}

export const QUICK = process.argv.includes('--quick');
export const BIN = resolve('bin/mq');
export const STANDALONE = resolve('dist/mq');
export const NODE = resolve('node_modules/.bin/node');

/** The folder of all files of the benchmark; removed at the end. */
export const folder = mkdtempSync(join(tmpdir(), 'mq-bench-'));
const home = join(folder, 'home');
mkdirSync(home, { mode: 0o700 });
export const SOCKET = join(home, 'mq.sock');

export const env = { ...process.env, MQ_HOME: home, MQ_SOCKET: '', MQ_NO_START: '' };
const running = new Set<ChildProcess>();

/** Starts a process that is ended with the benchmark, if it does not end before. */
export function start(command: string, args: string[], options: SpawnOptions = {}): ChildProcess {
  const child = spawn(command, args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env,
    cwd: folder,
    ...options,
  });
  running.add(child);
  child.on('exit', () => running.delete(child));
  return child;
}

/** Runs a script of sh, in which $mq is mq; returns the seconds that it took. */
export async function sh(script: string): Promise<number> {
  const begun = performance.now();
  await ended(start('sh', ['-ec', script], { env: { ...env, mq: BIN } }), script);
  return (performance.now() - begun) / 1000;
}

/** Milliseconds from the start of a process to its end. */
export async function call(command: string, ...args: string[]): Promise<number> {
  const begun = performance.now();
  await ended(start(command, args), command);
  return performance.now() - begun;
}

export function ended(child: ChildProcess, what: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (status, signal) => {
      if (status === 0) resolve();
      else reject(new Error(`${signal ?? `status ${status}`}: ${what}`));
    });
  });
}

export function output(command: string, ...args: string[]): string {
  return spawnSync(command, args, { env, encoding: 'utf8' }).stdout;
}

export function isInstalled(command: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;
}

/** The commands that are not installed, as a reason to skip a row; undefined when all are. */
export function missing(...commands: string[]): string | undefined {
  const absent = commands.filter((command) => !isInstalled(command));
  return absent.length === 0 ? undefined : `not installed: ${absent.join(', ')}`;
}

export async function until(condition: () => boolean, limit = 10_000): Promise<void> {
  const deadline = performance.now() + limit;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] as number)) / 2;
}

/** Ends the processes that still run, and the daemon, and removes the folder. */
export function cleanUp(): void {
  for (const child of running) child.kill('SIGKILL');
  spawnSync(BIN, ['stop'], { env });
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
