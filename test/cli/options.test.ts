import { describe, expect, test } from 'vitest';
import {
  countOf,
  deadlineOf,
  framingOf,
  parsePeriod,
  periodOf,
  settingsOf,
  waitOf,
} from '../../src/cli/options.ts';
import { now } from '../../src/clock.ts';

const USAGE = expect.objectContaining({ code: 'USAGE' });

describe('the end of a wait', () => {
  test('is never without options, at once with --nowait, and after --timeout', () => {
    expect(deadlineOf({})).toBe(Infinity);
    expect(deadlineOf({ nowait: true })).toBe(0);
    expect(deadlineOf({ timeout: '0' })).toBe(0);
    const before = now();
    const deadline = deadlineOf({ timeout: '5s' });
    expect(deadline).toBeGreaterThanOrEqual(before + 5000);
    expect(deadline).toBeLessThanOrEqual(now() + 5000);
  });

  test('is one of both options', () => {
    expect(() => deadlineOf({ nowait: true, timeout: '5s' })).toThrow(USAGE);
  });

  test('is no later than a timer can wait', () => {
    expect(waitOf({ timeout: '24d' }, 'timeout')).toBe(24 * 86_400_000);
    expect(() => waitOf({ timeout: '25d' }, 'timeout')).toThrow(USAGE);
    expect(waitOf({}, 'timeout')).toBeUndefined();
  });
});

describe('a period', () => {
  test('may be longer than a timer can wait, up to a hundred years', () => {
    expect(periodOf({ delay: '25d' }, 'delay')).toBe(25 * 86_400_000);
    expect(periodOf({}, 'delay')).toBeUndefined();
    expect(() => parsePeriod('36526d', '--delay')).toThrow(USAGE);
  });

  test('has a least value', () => {
    expect(periodOf({ lease: '1ms' }, 'lease', 1)).toBe(1);
    expect(() => periodOf({ lease: '0' }, 'lease', 1)).toThrow(USAGE);
  });
});

test('messages are lines, or end in NUL, or are the whole', () => {
  expect(framingOf({})).toBe('lines');
  expect(framingOf({ null: true })).toBe('null');
  expect(framingOf({ whole: true })).toBe('whole');
  expect(() => framingOf({ null: true, whole: true })).toThrow(USAGE);
});

test('a count is at least 1', () => {
  expect(countOf({})).toBeUndefined();
  expect(countOf({ count: '7' })).toBe(7);
  for (const count of ['0', '-1', 'many']) expect(() => countOf({ count })).toThrow(USAGE);
});

test('settings are those that were given', () => {
  expect(settingsOf({})).toEqual({});
  expect(
    settingsOf({
      kind: 'lifo',
      maxsize: '10',
      'max-attempts': '0',
      'retry-delay': '1m',
      'dead-letter': 'morgue',
    }),
  ).toEqual({ kind: 'lifo', maxsize: 10, max_attempts: 0, retry_delay: 60_000, dead_letter: 'morgue' });
  expect(() => settingsOf({ kind: 'heap' })).toThrow(USAGE);
  expect(() => settingsOf({ 'dead-letter': '.x' })).toThrow(expect.objectContaining({ code: 'BADNAME' }));
});
