import { readFileSync } from 'node:fs';

/**
 * When a process was started, in clock ticks since boot (field 22 of proc_pid_stat(5)): with the
 * pid it names one process for good. Undefined when there is no such process.
 */
export function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may hold anything.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
