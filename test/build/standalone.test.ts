import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';

const require = createRequire(import.meta.url);

test('pkg is of one version, in which the function that the build calls is where it calls it', () => {
  const { devDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
  const wanted = devDependencies['@yao-pkg/pkg'];
  expect(wanted).toMatch(/^\d+\.\d+\.\d+$/);
  expect(require('@yao-pkg/pkg/package.json').version).toBe(wanted);
  const sea = require('@yao-pkg/pkg/lib-es5/sea.js');
  expect(sea.default).toBeTypeOf('function');
  // The entry point, and what to make of it.
  expect(sea.default).toHaveLength(2);
});
