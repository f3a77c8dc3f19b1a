import { beforeEach, describe, expect, test } from 'vitest';
import { Budget } from '../../src/daemon/budget.ts';
import { until } from '../until.ts';

const BOUND = 100;

describe('the budget of large requests', () => {
  let budget: Budget;
  let granted: string[];
  let ended: string[];
  beforeEach(() => {
    budget = new Budget(BOUND, 100);
    granted = [];
    ended = [];
  });
  const shareOf = (name: string) => {
    const of = [granted, ended] as const;
    return budget.share({ granted: () => of[0].push(name), ended: () => of[1].push(name) });
  };

  test('is given at once while there is some, and is no more than the bound', () => {
    expect(shareOf('a').ask(60)).toBe(true);
    expect(shareOf('b').ask(40)).toBe(true);
    expect(shareOf('c').ask(1)).toBe(false);
    expect(budget.used).toBe(BOUND);
    expect(granted).toEqual([]);
  });

  test('is given in the order in which it was asked for, also where a later one would fit', () => {
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(shareOf) as [Share, Share, Share, Share];
    a.ask(60);
    b.ask(20);
    expect(c.ask(50)).toBe(false);
    expect(d.ask(10)).toBe(false);
    b.release();
    expect(granted).toEqual([]);
    a.release();
    expect(granted).toEqual(['c', 'd']);
    expect(budget.used).toBe(60);
  });

  test('that is larger than the bound is given when nobody else has any', () => {
    const [a, b] = ['a', 'b'].map(shareOf) as [Share, Share];
    a.ask(10);
    expect(b.ask(BOUND * 5)).toBe(false);
    a.release();
    expect(granted).toEqual(['b']);
    expect(shareOf('c').ask(1)).toBe(false);
    b.release();
    expect(granted).toEqual(['b', 'c']);
  });

  test('for a request that turns out longer is given before others, and at once to the oldest that is not complete', () => {
    const [done, a, b, c] = ['done', 'a', 'b', 'c'].map(shareOf) as [Share, Share, Share, Share];
    done.ask(10);
    done.complete(10);
    a.ask(40);
    b.ask(40);
    expect(c.ask(30)).toBe(false);
    expect(b.ask(60)).toBe(false);
    expect(a.ask(80)).toBe(true);
    a.release();
    expect(granted).toEqual(['b', 'c']);
  });

  test('is left by whoever waits and goes', () => {
    const [a, b, c] = ['a', 'b', 'c'].map(shareOf) as [Share, Share, Share];
    a.ask(80);
    expect(b.ask(90)).toBe(false);
    expect(c.ask(20)).toBe(false);
    b.release();
    expect(granted).toEqual(['c']);
    for (const share of [a, c, a]) share.release();
    expect(budget.used).toBe(0);
  });

  test('is taken from those who send nothing for a while, when others wait', async () => {
    const [silent, busy] = ['silent', 'busy'].map(shareOf) as [Share, Share];
    silent.ask(40);
    busy.ask(60);
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(ended).toEqual([]);
    shareOf('waits').ask(10);
    await until(() => {
      busy.heard();
      return ended.length > 0;
    });
    expect(new Set(ended)).toEqual(new Set(['silent']));
    silent.release();
    expect(granted).toEqual(['waits']);
  });
});

type Share = ReturnType<Budget['share']>;
