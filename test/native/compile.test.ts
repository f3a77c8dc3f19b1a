import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { compileFront, compiles, STRICT } from './front.ts';

/** Each as far as it is there. */
const WAYS: [string, ...string[]][] = [
  ['gcc', '-O2'],
  ['gcc', '-O2', '-fanalyzer'],
  ['clang', '-O2'],
  ['musl-gcc', '-static', '-O2'],
];

describe('the front compiles without a warning', () => {
  for (const [compiler, ...options] of WAYS)
    test.skipIf(!compiles(compiler, options))(`${compiler} ${options.join(' ')}`, () => {
      const folder = mkdtempSync(join(tmpdir(), 'mq-front-'));
      const said = compileFront(compiler, [...STRICT, ...options], join(folder, 'front'));
      rmSync(folder, { recursive: true });
      expect(said).toBe('');
    });
});
