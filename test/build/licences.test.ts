import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

test('each package that is bundled is named, with its licence', async () => {
  const text = readFileSync('dist/THIRD-PARTY.txt', 'utf8');
  const folders = await bundled();
  expect(folders.length).toBeGreaterThan(5);
  for (const folder of folders) {
    const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    expect(text).toContain(`\n${name} ${version} (`);
    const licence = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file)) as string;
    expect(text, folder).toContain(readFileSync(join(folder, licence), 'utf8').trim());
  }
});

test('the npm package has these licences, and its own', () => {
  const pack = spawnSync('npm', ['pack', '--dry-run', '--ignore-scripts', '--json'], { encoding: 'utf8' });
  const [{ files }] = JSON.parse(pack.stdout) as [{ files: { path: string }[] }];
  expect(files.map(({ path }) => path)).toEqual(
    expect.arrayContaining(['LICENSE', 'dist/THIRD-PARTY.txt', 'dist/mq.bin']),
  );
});

test.skipIf(!existsSync('dist/mq'))("beside the standalone executable stands its Node's licence", () => {
  const text = readFileSync('dist/NODE-LICENSE.txt', 'utf8');
  expect(text).toMatch(/^Node\.js is licensed for use as follows:/);
  expect(text).toContain('- V8, located at deps/v8, is licensed as follows:');
});

/** The folders of the packages of which something is in a bundle of mq. */
async function bundled(): Promise<string[]> {
  const { metafile } = await build({
    entryPoints: ['src/main.ts'],
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['node:*'],
    write: false,
    outdir: 'nowhere',
    metafile: true,
  });
  const files = Object.values(metafile.outputs).flatMap(({ inputs }) => Object.keys(inputs));
  const folders = files.flatMap((file) => /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []);
  return [...new Set(folders)];
}
