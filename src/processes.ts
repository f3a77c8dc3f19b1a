import { readFileSync } from 'node:fs';

/**
 * When a process was started, in clock ticks since boot (field 22 of proc_pid_stat(5)): with the
 * pid it names one process for good. Undefined when there is no such process.
 */
export function startOf(pid: number): string | undefined {
  return statOf(pid)?.[22 - FIRST];
}

/**
 * Whether this process is of the job that has the terminal (fields 5 and 8); true where it cannot
 * be told.
 */
export function isInForeground(): boolean {
  const stat = statOf('self');
  if (stat === undefined) return true;
  const [group, owner] = [stat[5 - FIRST], stat[8 - FIRST]];
  // Less than 1: it has no terminal of its own.
  return group === owner || Number(owner) < 1;
}

/** The number of the field that comes first in what `statOf` answers. */
const FIRST = 3;

function statOf(pid: number | 'self'): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may hold anything.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
