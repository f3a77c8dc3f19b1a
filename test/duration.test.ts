import { expect, test } from 'vitest';
import { parseDuration } from '../src/duration.ts';

test.each([
  ['0', 0],
  ['1', 1000],
  ['0.5', 500],
  ['.5', 500],
  ['10s', 10_000],
  ['1.5s', 1500],
  ['500ms', 500],
  ['0.1ms', 1],
  ['5m', 300_000],
  ['2h', 7_200_000],
  ['1d', 86_400_000],
  ['1w', 604_800_000],
  ['1h30m', 5_400_000],
  ['1w2d3h4m5s6ms', 788_645_006],
  ['1d.5s', 86_400_500],
  ['1.5h30m', 7_200_000],
  ['1.1h', 3_960_000],
  ['100ms', 100],
  ['007', 7000],
])('%s is %d ms', (text, milliseconds) => {
  expect(parseDuration(text)).toBe(milliseconds);
});

const USELESS = [
  '',
  ' ',
  '-1',
  '-0.5s',
  '+1',
  '1e3',
  '1.',
  '.',
  's',
  '1 s',
  ' 1',
  '1S',
  '1h30',
  '30 1h',
  '30m1h',
  '1h1h',
  '1h-30m',
  '1h 30m',
  '1W',
  '1y',
  '0x10',
  'NaN',
];

test.each([...USELESS, 'Infinity', '1s\n'])('%j is no duration', (text) => {
  expect(() => parseDuration(text)).toThrow(expect.objectContaining({ code: 'USAGE' }));
});

test.each([`${'9'.repeat(400)}`, '99999999999999999d'])(
  '%s is one, and longer than any that is taken',
  (text) => {
    expect(parseDuration(text)).toBeGreaterThan(Number.MAX_SAFE_INTEGER);
  },
);
