import { expect, test } from 'vitest';
import { isNewer, VERSION } from '../src/version.ts';

test.each([
  ['0.0.2', '0.0.1'],
  ['0.1.0', '0.0.9'],
  ['1.0.0', '0.99.99'],
  ['0.10.0', '0.9.0'],
  ['0.1.10', '0.1.9'],
  ['1.2.3-beta.1', '1.2.2'],
  ['1.2.1', '1.2'],
])('%s is newer than %s, and not the other way round', (a, b) => {
  expect([isNewer(a, b), isNewer(b, a)]).toEqual([true, false]);
});

test.each(['0.1.0', '1.2.3', '1.2.3-beta', '1', ''])('%j is not newer than itself', (version) => {
  expect(isNewer(version, version)).toBe(false);
});

test('what is no version is newer than none', () => {
  expect(isNewer('nonsense', '0.0.1')).toBe(false);
});

test('this version is one', () => {
  expect(VERSION).toMatch(/^\d+\.\d+\.\d+/);
});
