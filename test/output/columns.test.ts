import { expect, test } from 'vitest';
import { columns, pairs } from '../../src/output/columns.ts';

test('columns are as wide as their widest cell, numbers flush right', () => {
  expect(
    columns(
      ['NAME', 'SIZE', 'STATE'],
      [
        ['a-long-name', 7, 'open'],
        ['b', 12345, null],
      ],
    ),
  ).toBe('NAME          SIZE  STATE\na-long-name      7  open\nb            12345  -\n');
});

test('without rows there is the head', () => {
  expect(columns(['NAME', 'SIZE'], [])).toBe('NAME  SIZE\n');
});

test('pairs have their values in one column', () => {
  expect(pairs({ name: 'q', dead_letter: 'q.dead', oldest_at: null })).toBe(
    'name         q\ndead_letter  q.dead\noldest_at    -\n',
  );
});
