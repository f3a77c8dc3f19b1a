import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The folder of the package that a file is from. */
const PACKAGE = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/;

/** The licence of the C library that a front has in it which is given away. */
const MUSL = 'src/build/musl-license.txt';

const RULE = `\n${'-'.repeat(72)}\n\n`;

/**
 * The text that goes with a bundle: the packages in it, each with its licence.
 * @param files the files of the bundle (`inputs` of esbuild's metafile)
 */
export function thirdParty(files: readonly string[]): string {
  const folders = new Set(files.flatMap((file) => PACKAGE.exec(file)?.[0] ?? []));
  const entries = new Set([...folders].sort().map(entryOf));
  return [
    'mq (see LICENSE) has parts of the following packages in it, in dist/mq.bin and in dist/mq.\n',
    ...entries,
    `musl (MIT), in dist/mq-front where that is static\n\n${readFileSync(MUSL, 'utf8')}`,
  ].join(RULE);
}

function entryOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const names = readdirSync(folder).filter((each) => /^(licen[cs]e|copying|notice)\b/i.test(each));
  if (names.length === 0) throw new Error(`${name} is bundled, and has no file with its licence`);
  const texts = names.map((each) => `\n${readFileSync(join(folder, each), 'utf8').trim()}\n`);
  return `${name} ${version} (${license})\n${texts.join('')}`;
}
