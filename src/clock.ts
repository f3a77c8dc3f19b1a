import { readFileSync } from 'node:fs';

/** Milliseconds of running time between two looks whether the machine was suspended. */
const LOOK_EVERY = 1000;

/** Milliseconds. A shorter suspension cannot be told from the 10 ms in which /proc/uptime counts. */
const SHORTEST = 100;

let lookedAt = runningTime();
/** Milliseconds by which the time since boot is ahead of the running time; undefined: not known yet. */
let ahead: number | undefined;
let total = 0;

/**
 * Milliseconds on a clock that nobody sets, and that counts time in suspension (CLOCK_BOOTTIME of
 * clock_gettime(2)). A suspension is noticed up to a second after its end.
 */
export function now(): number {
  const running = runningTime();
  return running + suspended(running);
}

const offset = Date.now() - now();

/**
 * Milliseconds since 1970 by the wall clock as it stood when the process began. Later changes of it do not count,
 * so that an hour is an hour, whoever sets the clock.
 */
export function steadyTime(): number {
  return Math.floor(offset + now());
}

/** Milliseconds of suspension since this process looked first; 0 where that cannot be known. */
export function suspended(running = runningTime()): number {
  if (running - lookedAt < LOOK_EVERY) return total;
  lookedAt = running;
  const uptime = timeSinceBoot();
  if (uptime === undefined) return total;
  const difference = uptime - running - (ahead ?? 0);
  if (ahead === undefined) ahead = difference;
  else if (difference > SHORTEST) {
    total += difference;
    ahead += difference;
  }
  return total;
}

/**
 * Milliseconds in which the machine ran (CLOCK_MONOTONIC). The first use of performance.now() would cost two
 * milliseconds of loading.
 */
function runningTime(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

/** The first field of proc_uptime(5) in ms, which includes suspension. */
function timeSinceBoot(): number | undefined {
  try {
    return Number.parseFloat(readFileSync('/proc/uptime', 'latin1')) * 1000;
  } catch {
    return undefined;
  }
}
