import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { LONG } from './long.ts';

test('each file that is called long is there', () => {
  expect(LONG.flatMap(({ files }) => files).filter((file) => !existsSync(file))).toEqual([]);
});
