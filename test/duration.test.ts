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
  '1w',
  '1h30m',
  '0x10',
  'NaN',
];

test.each([...USELESS, 'Infinity', '1s\n', `${'9'.repeat(400)}`, '99999999999999999d'])(
  '%j is no duration',
  (text) => {
    expect(() => parseDuration(text)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  },
);
