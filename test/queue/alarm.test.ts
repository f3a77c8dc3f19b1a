import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Alarm } from '../../src/queue/alarm.ts';

let rung: number[];
let late: number[];
let alarm: Alarm;
beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
  [rung, late] = [[], []];
  alarm = new Alarm(
    (by) => {
      rung.push(Date.now());
      late.push(by);
    },
    () => Date.now(),
  );
});
afterEach(() => {
  alarm.clear();
  vi.useRealTimers();
});

test('rings at the earliest time that was set, once', () => {
  for (const time of [300, 100, 200]) alarm.set(time);
  vi.advanceTimersByTime(1000);
  expect(rung).toEqual([100]);
});

test('can be set again when it has rung', () => {
  alarm.set(100);
  vi.advanceTimersByTime(100);
  alarm.set(50);
  vi.advanceTimersByTime(100);
  expect(rung).toEqual([100, 150]);
});

test('what is due already is due soon', () => {
  vi.setSystemTime(1000);
  alarm.set(-995);
  vi.advanceTimersByTime(1);
  expect(rung).toEqual([1001]);
});

test('says by how much it is late', () => {
  alarm.set(100);
  vi.advanceTimersByTime(100);
  alarm.set(100);
  vi.setSystemTime(5000);
  vi.advanceTimersByTime(100);
  expect(late).toEqual([0, 4900]);
});

test('does not ring once it is cleared', () => {
  alarm.set(100);
  alarm.clear();
  vi.advanceTimersByTime(1000);
  expect(rung).toEqual([]);
});
