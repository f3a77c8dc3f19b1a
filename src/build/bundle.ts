import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { isLazy } from './folders.ts';
import { thirdParty } from './licences.ts';

/**
 * Makes dist/mq.cjs, which bin/mq and the standalone executable run, and dist/mq.bin, which it reads:
 * the whole program, of which each command runs only its part. So that `mq put q x` costs little more than a
 * bare Node, mq.bin has four sections:
 *
 * - the sizes of the four, as 32-bit integers;
 * - V8's code cache of the next one;
 * - hot: the source of what commands like put and get run;
 * - rest: the source of what is loaded lazily (folders.ts): the daemon, and what needs packages. It is not
 *   even compiled before one of its modules is needed.
 *
 * Modules of one section load those of the other by `require('mq:' + path)`. All sections are in one file, so
 * that a process that runs while it is replaced has the whole program.
 *
 * Beside them stands dist/THIRD-PARTY.txt, with the licences of the packages that are in it.
 */
const FOLDER = 'dist';

/** Modules of rest that hot imports, all by import(). */
const entries = new Set<string>();

/** Modules of hot that rest imports. */
const shared = new Set<string>();

/** All files that are bundled. */
const files: string[] = [];

await section(['src/main.ts'], (path) => isRest(path) && entries.add(path) === entries);
const rest = await section([...entries], (path) => !isRest(path) && shared.add(path) === shared);
const hot = await section(['src/main.ts', ...shared], (path) => {
  if (isRest(path) && !entries.has(path))
    throw new Error(`${path} is imported by what only the rest imports`);
  return isRest(path);
});

// A folder of its own, because V8 takes a code cache for any source of the same length.
const work = mkdtempSync(join(tmpdir(), 'mq-bundle-'));
try {
  copyFileSync('src/build/loader.cjs', join(work, 'mq.cjs'));
  for (const args of [[], ['put', 'q', 'x'], ['get', 'q']]) writeImage(codeCacheAfter(args));
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(work, 'THIRD-PARTY.txt'), thirdParty(files));
  for (const name of ['THIRD-PARTY.txt', 'mq.bin', 'mq.cjs']) replace(join(work, name), join(FOLDER, name));
} finally {
  rmSync(work, { recursive: true });
}

function isRest(path: string): boolean {
  return path === 'chalk' || path.startsWith('node_modules/') || isLazy(relative('src', path));
}

/** The source of a function that answers a table: by the paths of these modules, functions that load them. */
async function section(modules: string[], isElsewhere: (path: string) => boolean): Promise<string> {
  const table = modules.map((path) => `'${path}':()=>require('${path.replace(/^src/, './src')}')`);
  const elsewhere: Plugin = {
    name: 'elsewhere',
    setup: (build) =>
      build.onResolve({ filter: /^\.|^chalk$/ }, ({ path, resolveDir, importer, kind }) => {
        if (kind === 'entry-point' || !importer || importer.includes('node_modules')) return undefined;
        const name = path.startsWith('.') ? relative('.', resolve(resolveDir, path)) : path;
        return isElsewhere(name) ? { path: `mq:${name}`, external: true } : undefined;
      }),
  };
  const { outputFiles, metafile } = await build({
    stdin: { contents: `module.exports={${table}}`, resolveDir: '.' },
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node24',
    supported: { 'dynamic-import': false },
    // Names stay, for the stack traces in the log.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    // yargs asks for the place of its own file.
    define: { 'import.meta.url': '__moduleUrl' },
    plugins: [elsewhere],
    write: false,
    metafile: true,
    logLevel: 'warning',
  });
  for (const { inputs } of Object.values(metafile.outputs)) files.push(...Object.keys(inputs));
  return `(function(module,require,__moduleUrl){${outputFiles[0]?.text}})`;
}

function writeImage(codeCache: Buffer): void {
  const sections = [codeCache, Buffer.from(hot), Buffer.from(rest)];
  const sizes = new Uint32Array([16, ...sections.map(({ length }) => length)]);
  writeFileSync(join(work, 'mq.bin'), Buffer.concat([new Uint8Array(sizes.buffer), ...sections]));
}

/**
 * The code cache so far, with the functions that this command called added. A cache of all functions would cost
 * more than it saves.
 */
function codeCacheAfter(args: string[]): Buffer {
  if (args.length === 0) return Buffer.alloc(0);
  const home = join(work, 'home');
  const cache = join(work, 'code-cache');
  const env = { ...process.env, MQ_HOME: home, MQ_SOCKET: '', MQ_NO_START: '', MQ_CODE_CACHE: cache };
  const mq = (...args: string[]) => execFileSync(process.execPath, args, { env });
  try {
    mq('-r', './src/build/keep-code-cache.cjs', join(work, 'mq.cjs'), ...args);
    return readFileSync(cache);
  } finally {
    mq(join(work, 'mq.cjs'), 'stop');
  }
}

function replace(from: string, to: string): void {
  copyFileSync(from, `${to}.${process.pid}`);
  renameSync(`${to}.${process.pid}`, to);
}
