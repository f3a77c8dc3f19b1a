import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

/**
 * Makes dist/mq: one executable that needs neither Node nor node_modules. It is the Node of this
 * checkout with the bundle in it, put together by pkg (--sea, in its simple mode). Called as a
 * function, pkg takes a Node that is there already, and files besides the program: mq.bin. Beside it
 * stands the licence of that Node, which npm's package of it lacks: the file here is that of the release.
 */
const require = createRequire(import.meta.url);
const pkg: typeof import('@yao-pkg/pkg/lib-es5/sea.js') = require('@yao-pkg/pkg/lib-es5/sea.js');

const FOLDER = resolve('dist');
const OUTPUT = `${FOLDER}/mq`;
const WORK = `${FOLDER}/.standalone`;

const node = `${WORK}/node`;
const made = `${WORK}/mq`;
mkdirSync(WORK, { recursive: true });
copyFileSync(process.execPath, node);
chmodSync(node, 0o755);
strip(node);
await quietly(() =>
  pkg.default(`${FOLDER}/mq.cjs`, {
    targets: [
      { nodeRange: `node${process.versions.node}`, platform: 'linux', arch: process.arch, output: made },
    ],
    nodePath: node,
    seaConfig: {
      disableExperimentalSEAWarning: true,
      useSnapshot: false,
      useCodeCache: true,
      assets: { 'mq.bin': `${FOLDER}/mq.bin` },
    },
  }),
);
chmodSync(made, 0o755);
const [major] = process.versions.node.split('.');
copyFileSync(`src/build/node-${major}-license.txt`, `${FOLDER}/NODE-LICENSE.txt`);
const version = execFileSync(made, ['--version'], { encoding: 'utf8' }).trim();
renameSync(made, OUTPUT);
rmSync(WORK, { recursive: true });
console.log(`dist/mq: ${version}, ${Math.round(statSync(OUTPUT).size / 1e6)} MB`);

/** Removes Node's symbols, which users have no use for. Before the program is put in: later, strip damages it. */
function strip(path: string): void {
  try {
    execFileSync('strip', [path], { stdio: 'pipe' });
    execFileSync(path, ['--version'], { stdio: 'pipe' });
  } catch {
    // strip is not installed, or not for this kind of file: the executable is a little larger.
    copyFileSync(process.execPath, path);
  }
}

/** Runs without the output of pkg's steps; errors are thrown. */
async function quietly(work: () => Promise<void>): Promise<void> {
  const { log } = console;
  console.log = () => {};
  try {
    await work();
  } finally {
    console.log = log;
  }
}
