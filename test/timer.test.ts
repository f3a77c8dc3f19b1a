import { expect, test, vi } from 'vitest';
import { after } from '../src/timer.ts';

test('a timer calls once, after longer than a timer of Node can wait', () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const call = vi.fn();
    after(2 ** 32, call, 2 ** 31 - 1);
    vi.advanceTimersByTime(2 ** 32 - 1);
    expect(call).not.toHaveBeenCalled();
    vi.advanceTimersByTime(2 ** 32);
    expect(call).toHaveBeenCalledOnce();
  } finally {
    vi.useRealTimers();
  }
});
