import { expect, test } from 'vitest';
import { parseInteger, parseKind } from '../src/settings.ts';

const usage = expect.objectContaining({ code: 'USAGE' });

test.each(['fifo', 'lifo', 'priority'])('%s is a kind of queue', (kind) => {
  expect(parseKind(kind)).toBe(kind);
});

test.each(['', 'FIFO', 'stack', 'toString'])('%j is no kind of queue', (kind) => {
  expect(() => parseKind(kind)).toThrow(usage);
});

test('integers are taken within their bounds only', () => {
  expect(parseInteger('0', 'x', 0)).toBe(0);
  expect(parseInteger('-5', 'x', -5, 5)).toBe(-5);
  expect(parseInteger('5', 'x', -5, 5)).toBe(5);
  expect(parseInteger(`${Number.MAX_SAFE_INTEGER}`, 'x', 0)).toBe(Number.MAX_SAFE_INTEGER);
  for (const text of ['-6', '6', '', ' 1', '1.0', '1e1', '0x1', '+1', '1\n', '9'.repeat(17)]) {
    expect(() => parseInteger(text, 'x', -5, 5), text).toThrow(usage);
  }
  expect(() => parseInteger('9999999999999999', 'x', 0)).toThrow(usage);
});
