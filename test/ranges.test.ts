import { expect, test } from 'vitest';
import { Ranges } from '../src/ranges.ts';
import { idsIn } from './store/messages.ts';

test('a run of ids is one range', () => {
  const ranges = new Ranges();
  for (const first of [1, 2, 3, 7, 8]) ranges.add({ first, last: first });
  ranges.add({ first: 9, last: 12 });
  expect(ranges.all).toEqual([
    { first: 1, last: 3 },
    { first: 7, last: 12 },
  ]);
});

test('takes out what it has of a range', () => {
  const ranges = new Ranges();
  ranges.add({ first: 1, last: 10 });
  ranges.add({ first: 20, last: 30 });
  expect(ranges.remove({ first: 5, last: 6 })).toEqual([{ first: 5, last: 6 }]);
  expect(ranges.remove({ first: 4, last: 25 })).toEqual([
    { first: 4, last: 4 },
    { first: 7, last: 10 },
    { first: 20, last: 25 },
  ]);
  expect(ranges.remove({ first: 5, last: 25 })).toEqual([]);
  expect(ranges.isEmpty).toBe(false);
  expect(ranges.remove({ first: 0, last: 100 })).toEqual([
    { first: 1, last: 3 },
    { first: 26, last: 30 },
  ]);
  expect(ranges.isEmpty).toBe(true);
});

test.each([1, 2, 3, 4, 5])('is the set that a Set is, whatever is added and removed (seed %d)', (start) => {
  let seed = start;
  const below = (limit: number) => {
    seed = (seed * 48271) % 2147483647;
    return seed % limit;
  };
  const ranges = new Ranges();
  const set = new Set<number>();
  for (let i = 0; i < 2000; i++) {
    const first = below(200);
    const range = { first, last: first + below(12) };
    const ids = idsIn([range]);
    if (below(2) === 0) {
      // Nobody holds a message twice.
      if (ids.some((id) => set.has(id))) continue;
      ranges.add(range);
      for (const id of ids) set.add(id);
    } else {
      const removed = ids.filter((id) => set.delete(id));
      expect(idsIn(ranges.remove(range))).toEqual(removed);
    }
    expect(idsIn(ranges.all)).toEqual([...set].sort((a, b) => a - b));
    expect(ranges.isEmpty).toBe(set.size === 0);
  }
});
