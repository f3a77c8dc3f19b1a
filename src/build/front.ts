import { execFileSync } from 'node:child_process';
import { readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';

/**
 * Makes dist/mq-front of src/native, where there is a C compiler ($CC, or musl-gcc, or cc), and the header that it is
 * built with. Static where that can be had: it starts faster then, and runs on any Linux of this machine's kind. Without a
 * compiler there is none, and bin/mq does without.
 *
 * With --give-away it also makes those that the npm package has, dist/mq-front-x64 and -arm64, as far as there are compilers
 * for them; bin/choose-front.cjs makes one of them dist/mq-front.
 */
const FOLDER = 'dist';
const SOURCES = 'src/native';
const OUTPUT = join(FOLDER, 'mq-front');
const HEADER = join(FOLDER, 'native/table.h');

const FLAGS = ['-std=c11', '-O2', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-I', join(FOLDER, 'native')];

/** The first that works is taken. */
const COMPILERS = [
  ...(process.env['CC'] ? [[process.env['CC']]] : []),
  ['musl-gcc', '-static'],
  ['cc', '-static'],
  ['cc'],
] as [string, ...string[]][];

/** Fronts that are given away have musl in them, whose licence goes along (licences.ts). */
const GIVEN_AWAY = [
  [process.arch, 'musl-gcc'],
  ['x64', 'x86_64-linux-musl-gcc'],
  ['arm64', 'aarch64-linux-musl-gcc'],
] as const;

await writeHeader();
report(
  COMPILERS.some((compiler) => compile(compiler, OUTPUT, true)),
  OUTPUT,
  'cc',
);
for (const arch of process.argv.includes('--give-away') ? ['x64', 'arm64'] : []) {
  const compilers = GIVEN_AWAY.filter(([each]) => each === arch).map(([, compiler]) => compiler);
  const output = `${OUTPUT}-${arch}`;
  const isMade = compilers.some((compiler) => compile([compiler, '-static'], output, arch === process.arch));
  report(isMade, output, compilers.join(', '));
}

/** One of an earlier build is no part of this one. */
function report(isMade: boolean, output: string, compilers: string): void {
  if (!isMade) rmSync(output, { force: true });
  console.log(isMade ? `${output}: the native front` : `no ${output}: there is no C compiler (${compilers})`);
}

/** The table is a part of the program, which plain Node does not load as it stands. */
async function writeHeader(): Promise<void> {
  const outfile = resolve(FOLDER, 'native/table.mjs');
  await build({
    entryPoints: ['src/build/front-table.ts'],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    packages: 'external',
    logLevel: 'warning',
  });
  const { frontTable } = (await import(outfile)) as { frontTable: () => string };
  writeFileSync(HEADER, frontTable());
}

/** @returns whether it has made an executable, which runs where it is for this machine */
function compile([compiler, ...options]: [string, ...string[]], output: string, isForHere: boolean): boolean {
  const file = `${output}.${process.pid}`;
  const sources = readdirSync(SOURCES)
    .filter((name) => name.endsWith('.c'))
    .map((name) => join(SOURCES, name));
  try {
    execFileSync(compiler, [...FLAGS, ...options, '-o', file, ...sources], {
      // Of those that are not there, or cannot link so, the next one is tried.
      stdio: ['ignore', 'ignore', process.env['MQ_FRONT_ERRORS'] ? 'inherit' : 'ignore'],
    });
    if (isForHere) execFileSync(file, ['--version'], { stdio: 'ignore' });
    renameSync(file, output);
    return true;
  } catch {
    rmSync(file, { force: true });
    return false;
  }
}
