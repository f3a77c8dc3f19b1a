import { beforeEach, expect, test } from 'vitest';
import { Meter } from '../../src/queue/meter.ts';

let now: number;
let meter: Meter;
beforeEach(() => {
  now = 1_700_000_000_000;
  meter = new Meter(() => now);
});

test('counts messages a second, of each queue', () => {
  meter.count('q', 'put', 500);
  meter.count('q', 'done', 100);
  meter.count('other', 'put', 10);
  now += 10_000;
  expect(meter.rates('q')).toEqual({ put: 50, done: 10 });
  expect(meter.rates('other')).toEqual({ put: 1, done: 0 });
  expect(meter.rates('none')).toEqual({ put: 0, done: 0 });
});

test('is about the last minute', () => {
  meter.count('q', 'put', 1_000_000);
  for (let second = 0; second < 120; second++) {
    now += 1000;
    meter.count('q', 'put', 7);
  }
  expect(meter.rates('q').put).toBeCloseTo(7, 0);
});

test('a minute without messages is nothing', () => {
  meter.count('q', 'put', 100);
  now += 60_000;
  expect(meter.rates('q')).toEqual({ put: 0, done: 0 });
  meter.count('q', 'put', 10);
  now += 5000;
  expect(meter.rates('q').put).toBeCloseTo(2, 0);
});

test('forgets queues in which nothing happens', () => {
  for (let i = 0; i < 5000; i++) {
    meter.count(`q${i}`, 'put', 1);
    now += 1000;
  }
  expect(meter.rates('q4999').put).toBeGreaterThan(0);
  expect(meter.size).toBeLessThan(1100);
});

test('counts for the latest ten thousand queues when there are more', () => {
  for (let i = 0; i < 20_000; i++) meter.count(`q${i}`, 'put', 1);
  expect(meter.size).toBe(10_000);
  expect(meter.rates('q19999').put).toBeGreaterThan(0);
  expect(meter.rates('q0').put).toBe(0);
});
