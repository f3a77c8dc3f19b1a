import { afterEach, describe, expect, test, vi } from 'vitest';
import { now, steadyTime } from '../src/clock.ts';

afterEach(() => vi.useRealTimers());

describe('steadyTime', () => {
  test('is the time of the wall clock when nobody has set that', () => {
    expect(Math.abs(steadyTime() - Date.now())).toBeLessThan(1000);
  });

  test.each([-5 * 3600e3, 5 * 3600e3])('does not follow the wall clock when that is set by %d ms', (jump) => {
    const before = steadyTime();
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + jump });
    expect(steadyTime() - before).toBeGreaterThanOrEqual(0);
    expect(steadyTime() - before).toBeLessThan(60_000);
  });

  test('goes as fast as now()', () => {
    const [steady, begun] = [steadyTime(), now()];
    while (now() < begun + 20);
    expect(Math.abs(steadyTime() - steady - (now() - begun))).toBeLessThanOrEqual(2);
  });
});
