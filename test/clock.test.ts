import { afterEach, describe, expect, test, vi } from 'vitest';
import { now, steadyTime } from '../src/clock.ts';

afterEach(() => vi.useRealTimers());

describe('steadyTime', () => {
  test('is the time of the wall clock when nobody has set that', () => {
    const before = Date.now();
    const steady = steadyTime();
    // The small amount by which the clock is adjusted.
    expect(steady).toBeGreaterThan(before - 1000);
    expect(steady).toBeLessThan(Date.now() + 1000);
  });

  test.each([-5 * 3600e3, 5 * 3600e3])('does not follow the wall clock when that is set by %d ms', (jump) => {
    const before = steadyTime();
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + jump });
    expect(steadyTime() - before).toBeGreaterThanOrEqual(0);
    expect(steadyTime() - before).toBeLessThan(60_000);
  });

  test('goes as fast as now()', () => {
    // Each reading of one lies between two of the other: the process may stand still at any point.
    const read = () => [now(), steadyTime(), now()] as const;
    const [first, steady, second] = read();
    while (now() < second + 20);
    const [third, later, fourth] = read();
    expect(later - steady).toBeGreaterThanOrEqual(third - second - 2);
    expect(later - steady).toBeLessThanOrEqual(fourth - first + 2);
  });
});
