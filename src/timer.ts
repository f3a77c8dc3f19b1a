import { suspended } from './clock.ts';

/** A timer of Node's does not count the time of a suspension: it is looked at after so many ms. */
const SLICE = 5000;

export interface Timer {
  clear(): void;
}

/**
 * Calls once, after so many ms, with the time in which the machine is suspended: up to `slice` ms late
 * after that. Longer than the 2^31-1 ms that a timer of Node's can wait, too.
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
