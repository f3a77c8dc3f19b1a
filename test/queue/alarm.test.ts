import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Alarm } from '../../src/queue/alarm.ts';

let rung: number[];
let alarm: Alarm;
beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
  rung = [];
  alarm = new Alarm(() => rung.push(Date.now()));
});
afterEach(() => {
  alarm.clear();
  vi.useRealTimers();
});

test('rings at the earliest time that was set, once', () => {
  for (const time of [300, 100, 200]) alarm.set(time, Date.now());
  vi.advanceTimersByTime(1000);
  expect(rung).toEqual([100]);
});

test('can be set again when it has rung', () => {
  alarm.set(100, Date.now());
  vi.advanceTimersByTime(100);
  alarm.set(150, Date.now());
  vi.advanceTimersByTime(100);
  expect(rung).toEqual([100, 150]);
});

test('what is due already is due soon', () => {
  vi.setSystemTime(1000);
  alarm.set(5, Date.now());
  vi.advanceTimersByTime(1);
  expect(rung).toEqual([1001]);
});

test('a time that is too far for a timer is looked at before', () => {
  alarm.set(2 ** 40, Date.now());
  vi.advanceTimersByTime(2 ** 31 - 1);
  expect(rung).toEqual([2 ** 31 - 1]);
});

test('does not ring once it is cleared', () => {
  alarm.set(100, Date.now());
  alarm.clear();
  vi.advanceTimersByTime(1000);
  expect(rung).toEqual([]);
});
