import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, relative, resolve } from 'node:path';
import { test as base, describe, expect } from 'vitest';

const STANDALONE = resolve('dist/mq');

interface Ran {
  status: number | null;
  out: string;
  err: string;
}

/** A folder of its own, with whatever daemon was started in it gone at the end. */
const test = base.extend<{ folder: string }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the pattern
  folder: async ({}, use) => {
    const folder = mkdtempSync(join(tmpdir(), 'mq-alone-'));
    await use(folder);
    spawnSync(resolve('bin/mq'), ['stop'], { env: minimal(folder) });
    rmSync(folder, { recursive: true, force: true });
  },
});

/** The environment that `env -i HOME=... PATH=...` leaves. */
function minimal(home: string, path = '/usr/bin:/bin'): NodeJS.ProcessEnv {
  return { HOME: home, PATH: path };
}

function run(file: string, args: string[], cwd: string, env = minimal(cwd)): Ran {
  const { status, stdout, stderr, error } = spawnSync(file, args, { cwd, env, encoding: 'utf8' });
  if (error) throw error;
  return { status, out: stdout, err: stderr };
}

const whyNot = existsSync(STANDALONE) ? '' : ' (not built: npm run build)';

describe.skipIf(whyNot !== '')(`the standalone executable${whyNot}`, () => {
  test('needs nothing beside it, no environment, and starts its own daemon', ({ folder }) => {
    copyFileSync(STANDALONE, join(folder, 'mq'));
    const mq = (...args: string[]) => run('./mq', args, folder);
    const silent = { status: 0, err: '' };
    expect(mq('put', 'q', 'x', 'y')).toEqual({ ...silent, out: '' });
    expect(run('/bin/sh', ['-c', './mq get q >&-'], folder).status).toBe(74);
    expect(mq('get', 'q')).toEqual({ ...silent, out: 'x\n' });
    expect(mq('status')).toMatchObject({
      ...silent,
      out: expect.stringContaining(`${folder}/.local/state/mq`),
    });
    expect(mq('ls')).toMatchObject({ ...silent, out: expect.stringMatching(/^q\s+fifo\s+1\s/m) });
    expect(mq('--help')).toMatchObject({ ...silent, out: expect.stringContaining('mq put') });
    expect(mq('put', '--help')).toMatchObject({ ...silent, out: expect.stringContaining('--priority') });
    expect(mq('completion', 'bash').status).toBe(0);
    expect(mq('stop')).toEqual({ ...silent, out: '' });
    expect(readdirSync(folder).sort()).toEqual(['.local', 'mq']);
  });

  test('says what is wrong and no more', ({ folder }) => {
    expect(run(STANDALONE, ['get', '-n', 'nothing'], folder).status).toBe(3);
    const { status, err } = run(STANDALONE, ['put', '--frobnicate', 'q'], folder);
    expect(status).toBe(2);
    expect(err.trim().split('\n')).toHaveLength(2);
  });

  test('bin/mq runs it where there is no node_modules', ({ folder }) => {
    const bin = copyOfBin(folder);
    symlinkSync(STANDALONE, join(folder, 'dist/mq'));
    expect(run(bin, ['--version'], folder)).toMatchObject({ status: 0, err: '' });
  });
});

describe('bin/mq', () => {
  const bin = resolve('bin/mq');

  test('runs from any folder, by its path or through links', ({ folder }) => {
    mkdirSync(join(folder, 'a/b'), { recursive: true });
    symlinkSync(bin, join(folder, 'absolute'));
    symlinkSync(relative(folder, bin), join(folder, 'relative'));
    symlinkSync('../../relative', join(folder, 'a/b/twice'));
    for (const path of [bin, join(folder, 'absolute'), './relative', './a/b/twice'])
      expect(run(path, ['--version'], folder)).toMatchObject({ status: 0, err: '' });
    expect(run('sh', ['relative', '--version'], folder)).toMatchObject({ status: 0, err: '' });
    const onPath = minimal(folder, `${folder}/a/b${delimiter}/usr/bin${delimiter}/bin`);
    expect(run('sh', ['-c', 'twice --version'], '/', onPath)).toMatchObject({ status: 0, err: '' });
  });

  test('keeps arguments as they are', ({ folder }) => {
    const message = ' a  b\n*"$HOME\\';
    run(bin, ['put', 'q', message, ''], folder);
    expect(run(bin, ['get', '-c', '2', 'q'], folder).out).toBe(`${message}\n\n`);
  });

  test('says so where the Node on PATH is too old', ({ folder }) => {
    const copy = copyOfBin(folder);
    const { status, err } = run(copy, ['put', 'q', 'x'], folder, minimal(folder, oldNode(folder)));
    expect(status).toBe(69);
    expect(err).toMatch(/^mq: needs Node 24 or later, and this is Node \d+\.\d+\.\d+\n.*\n$/);
  });

  test('says so where there is no Node', ({ folder }) => {
    const { status, err } = run(copyOfBin(folder), ['put', 'q', 'x'], folder, minimal(folder, tools(folder)));
    expect(status).toBe(69);
    expect(err).toMatch(/^mq: needs Node 24 or later, and there is none on PATH\n.*\n$/);
  });

  test.for(['with', 'without'])(
    'says so in a checkout that is not built, %s node_modules',
    (how, { folder }) => {
      const copy = copyOfBin(folder);
      rmSync(join(folder, 'dist'), { recursive: true });
      if (how === 'with') {
        mkdirSync(join(folder, 'node_modules/.bin'), { recursive: true });
        symlinkSync(process.execPath, join(folder, 'node_modules/.bin/node'));
      }
      const { status, err } = run(copy, ['put', 'q', 'x'], folder);
      expect(status).toBe(69);
      expect(err).toBe('mq: this checkout is not built\nIn the checkout: npm run setup\n');
    },
  );
});

/** bin/ and the bundle, as npm would install them: without node_modules and the standalone executable. */
function copyOfBin(folder: string): string {
  cpSync('bin', join(folder, 'bin'), { recursive: true });
  mkdirSync(join(folder, 'dist'));
  for (const name of ['mq.cjs', 'mq.bin']) copyFileSync(`dist/${name}`, join(folder, 'dist', name));
  return join(folder, 'bin/mq');
}

/** A PATH with what bin/mq calls. */
function tools(folder: string): string {
  const path = join(folder, 'tools');
  mkdirSync(path);
  symlinkSync('/bin/sh', join(path, 'sh'));
  return path;
}

/** A PATH with the system's Node where that is old; else with this one, saying that it is older. */
function oldNode(folder: string): string {
  const path = tools(folder);
  const system = '/usr/bin/node';
  const version = existsSync(system) ? run(system, ['--version'], folder).out : '';
  if (/^v(\d|1\d|2[0-3])\./.test(version)) {
    symlinkSync(system, join(path, 'node'));
  } else {
    const older = join(folder, 'older.cjs');
    writeFileSync(older, `Object.defineProperty(process.versions, 'node', { value: '18.0.0' });\n`);
    writeFileSync(join(path, 'node'), `#!/bin/sh\nexec '${process.execPath}' -r '${older}' "$@"\n`, {
      mode: 0o755,
    });
  }
  return path;
}
