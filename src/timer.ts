import { suspended } from './clock.ts';

/** Milliseconds after which the clock is looked at: a timer of Node's does not count time in suspension. */
const SLICE = 5000;

export interface Timer {
  clear(): void;
}

/**
 * Calls once, after milliseconds that include time in suspension; after a suspension up to `slice` ms late. The
 * time may be longer than the 2^31-1 ms that a timer of Node's can wait.
 */
export function after(milliseconds: number, call: () => void, slice = SLICE): Timer {
  let left = milliseconds;
  let timer: NodeJS.Timeout;
  const wait = () => {
    const step = Math.min(left, slice);
    const before = suspended();
    timer = setTimeout(() => {
      left -= step + suspended() - before;
      if (left > 0) wait();
      else call();
    }, step);
  };
  wait();
  return { clear: () => clearTimeout(timer) };
}
