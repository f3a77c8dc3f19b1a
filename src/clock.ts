/**
 * Milliseconds on a clock that nobody sets. Not performance.now(): a process that uses it once loads
 * what takes two milliseconds.
 */
export function now(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
