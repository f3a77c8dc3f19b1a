import { readFileSync } from 'node:fs';

/** How often it is looked whether the machine was suspended, in ms of its running time. */
const LOOK_EVERY = 1000;

/** A shorter suspension, in ms, is not told from the 10 ms in which /proc/uptime counts. */
const SHORTEST = 100;

let lookedAt = runningTime();
/** By how much the time since boot was ahead of the running time; undefined until that is known. */
let ahead: number | undefined;
let total = 0;

/**
 * Milliseconds on a clock that nobody sets, and that counts the time in which the machine was suspended
 * (CLOCK_BOOTTIME of clock_gettime(2)); a suspension is noticed up to a second after its end.
 */
export function now(): number {
  const running = runningTime();
  return running + suspended(running);
}

const offset = Date.now() - now();

/**
 * Milliseconds since 1970 by the wall clock as it stood when the process began, and by no later
 * change of it: what is due in an hour is due in an hour, whoever sets the clock.
 */
export function steadyTime(): number {
  return Math.floor(offset + now());
}

/** For how long the machine was suspended since this process looked first, in ms; 0 where it cannot be known. */
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
 * Milliseconds in which the machine ran (CLOCK_MONOTONIC). Not performance.now(): a process that uses it
 * once loads what takes two milliseconds.
 */
function runningTime(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

/** The first field of proc_uptime(5), in ms: with the time of suspension. */
function timeSinceBoot(): number | undefined {
  try {
    return Number.parseFloat(readFileSync('/proc/uptime', 'latin1')) * 1000;
  } catch {
    return undefined;
  }
}
