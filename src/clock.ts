/**
 * Milliseconds on a clock that nobody sets. Not performance.now(): a process that uses it once loads
 * what takes two milliseconds.
 */
export function now(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

const offset = Date.now() - now();

/**
 * Milliseconds since 1970 by the wall clock as it stood when the process began, and by no later
 * change of it: what is due in an hour is due in an hour, whoever sets the clock.
 */
export function steadyTime(): number {
  return Math.floor(offset + now());
}
