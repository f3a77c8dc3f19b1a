import { readFileSync } from 'node:fs';

/**
 * The start of a process, in clock ticks since boot (field 22 of proc_pid_stat(5)). With the pid it names one process
 * for good. Undefined: there is no such process.
 */
export function startOf(pid: number): string | undefined {
  return statOf(pid)?.[22 - FIRST];
}

/**
 * Whether this process belongs to the job that has the terminal (fields 5 and 8); true where that is not known.
 */
export function isInForeground(): boolean {
  const stat = statOf('self');
  if (stat === undefined) return true;
  const [group, owner] = [stat[5 - FIRST], stat[8 - FIRST]];
  // Less than 1: there is no terminal.
  return group === owner || Number(owner) < 1;
}

/** The number of the first field in the answer of `statOf`. */
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
