import { version } from '../package.json';

/** mq's own version, as package.json has it (semver). */
export const VERSION: string = version;

/** The version of the protocol between client and daemon; raised when an older daemon would not understand. */
export const PROTOCOL = 6;

/** The oldest version whose clients the daemon understands; raised when they would not understand the answers. */
export const OLDEST_PROTOCOL = 2;

/** Whether semantic version `a` is later than `b` (pre-release tags are not compared). */
export function isNewer(a: string, b: string): boolean {
  const left = numbers(a);
  const right = numbers(b);
  for (let i = 0; i < 3; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}

function numbers(version: string): number[] {
  return version.split(/[.+-]/, 3).map((part) => Number.parseInt(part, 10) || 0);
}
