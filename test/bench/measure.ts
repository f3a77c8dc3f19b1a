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
  /** Why it cannot be measured here. */
  skip?: string | undefined;
  prepare?: () => Promise<void>;
  /** One measurement each; rounds take turns. */
  mq: () => Promise<number>;
  other?: () => Promise<number>;
  /** What this release keeps to: of the ratio mq / peer, or of mq's figure where there is no peer. */
  least?: number;
  most?: number;
}

export const QUICK = process.argv.includes('--quick');
export const BIN = resolve('bin/mq');
export const STANDALONE = resolve('dist/mq');
export const NODE = resolve('node_modules/.bin/node');

/** Everything is in here; gone at the end. */
export const folder = mkdtempSync(join(tmpdir(), 'mq-bench-'));
const home = join(folder, 'home');
mkdirSync(home, { mode: 0o700 });
export const SOCKET = join(home, 'mq.sock');

export const env = { ...process.env, MQ_HOME: home, MQ_SOCKET: '', MQ_NO_START: '' };
const running = new Set<ChildProcess>();

/** A process that is ended with the benchmark, if it does not end before. */
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

/** Runs a script of sh, in which $mq is mq; answers the seconds it took. */
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

/** Undefined when all are installed. */
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

/** Ends what still runs, and the daemon, and removes the folder. */
export function cleanUp(): void {
  for (const child of running) child.kill('SIGKILL');
  spawnSync(BIN, ['stop'], { env });
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
