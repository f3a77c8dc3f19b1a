import { expect, test } from 'vitest';
import { checkName } from '../src/names.ts';

test.each([
  'a',
  'A',
  '0',
  '_',
  ':',
  '/',
  'a.b',
  'a-b',
  'jobs/mail:high_1.2-3',
  'constructor',
  'x'.repeat(200),
])('%s is a name', (name) => {
  expect(checkName(name)).toBe(name);
});

test.each(['', '.', '.a', '-', '-a', 'a b', 'a\n', '\n', 'ä', 'a\0', 'a*', 'a,b', 'x'.repeat(201)])(
  '%j is none',
  (name) => {
    expect(() => checkName(name)).toThrow(expect.objectContaining({ code: 'BADNAME' }));
  },
);
