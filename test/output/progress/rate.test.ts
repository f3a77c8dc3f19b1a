import { describe, expect, test } from 'vitest';
import { Rate } from '../../../src/output/progress/rate.ts';

const BEGUN = 5000;

describe('rate', () => {
  test('of what goes evenly it is the same at any time', () => {
    const rate = new Rate(BEGUN);
    for (let i = 1; i <= 10_000; i++) expect(rate.perSecond(i * 20, BEGUN + i * 100)).toBeCloseTo(200);
  });

  test('it follows what goes faster', () => {
    const rate = new Rate(BEGUN);
    for (let i = 1; i <= 100; i++) rate.perSecond(i, BEGUN + i * 100);
    let last = 0;
    for (let i = 1; i <= 200; i++) last = rate.perSecond(100 + i * 100, BEGUN + 10_000 + i * 100);
    expect(last).toBeCloseTo(1000);
  });

  test('it falls off while nothing is done', () => {
    const rate = new Rate(BEGUN);
    for (let i = 1; i <= 100; i++) rate.perSecond(i, BEGUN + i * 100);
    const rates = Array.from({ length: 600 }, (_, i) => rate.perSecond(100, BEGUN + 10_000 + i * 100));
    expect(rates).toEqual(rates.toSorted((a, b) => b - a));
    expect(rates.at(-1)).toBeLessThan(1.5);
    expect(rates.at(-1)).toBeGreaterThan(0);
  });

  test('what takes a minute for each has one', () => {
    const rate = new Rate(BEGUN);
    const rates = [];
    for (let ms = 100; ms <= 3600e3; ms += 100) rates.push(rate.perSecond(Math.floor(ms / 60e3), BEGUN + ms));
    const perMinute = rates.slice(60e3 / 100).map((each) => each * 60);
    expect(Math.min(...perMinute)).toBeGreaterThan(0.4);
    expect(Math.max(...perMinute)).toBeLessThan(1.25);
  });
});
