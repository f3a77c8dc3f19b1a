import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { frontTable } from '../../src/build/front-table.ts';

/** The exit status of what stands in the place of Node. */
export const BECAME_NODE = 42;

export const STRICT = ['-std=c11', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Wconversion', '-Werror'];

export const SANITIZED = [
  '-g',
  '-O1',
  '-D_GNU_SOURCE',
  '-fsanitize=address,undefined',
  '-fno-sanitize-recover=all',
];

const SOURCES = readdirSync('src/native')
  .filter((name) => name.endsWith('.c'))
  .map((name) => join('src/native', name));

/** Whether the compiler is there and takes these options, as a small program shows. */
export function compiles(compiler: string, options: string[]): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'mq-cc-'));
  writeFileSync(join(folder, 'main.c'), 'int main(void) { return 0; }\n');
  try {
    const made = join(folder, 'main');
    execFileSync(compiler, [...options, '-o', made, join(folder, 'main.c')], { stdio: 'ignore' });
    execFileSync(made, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * Compiles the front.
 * @returns what the compiler says
 */
export function compileFront(compiler: string, options: string[], output: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'mq-cc-'));
  writeFileSync(join(folder, 'table.h'), frontTable());
  try {
    execFileSync(compiler, [...options, '-I', folder, '-o', output, ...SOURCES], { stdio: 'pipe' });
    return '';
  } catch (error) {
    return String((error as { stderr?: Buffer }).stderr ?? error);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * A folder with a front that was compiled so, and a bin/mq that only says that it was called.
 * @returns the front
 */
export function frontAlone(folder: string, compiler: string, options: string[]): string {
  for (const name of ['bin', 'dist']) mkdirSync(join(folder, name));
  const script = join(folder, 'bin/mq');
  writeFileSync(script, `#!/bin/sh\n[ "$1" = start ] && exit 69\nexit ${BECAME_NODE}\n`);
  chmodSync(script, 0o755);
  const front = join(folder, 'dist/mq-front');
  const said = compileFront(compiler, options, front);
  if (said !== '') throw new Error(said);
  return front;
}

export interface Ran {
  status: number | null;
  signal: NodeJS.Signals | null;
  out: Buffer;
  err: string;
}

export function runFront(front: string, args: string[], env: NodeJS.ProcessEnv, input = ''): Promise<Ran> {
  const child = spawn(front, args, { env, stdio: 'pipe' });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return new Promise((resolve) => {
    child.on('close', (status, signal) =>
      resolve({ status, signal, out: Buffer.concat(out), err: Buffer.concat(err).toString() }),
    );
  });
}
