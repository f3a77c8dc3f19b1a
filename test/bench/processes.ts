import { readFileSync, writeFileSync } from 'node:fs';

/** Times, in ms, for which the main thread of a process has run, and has waited for a processor. */
export interface Schedule {
  run: number;
  delay: number;
}

export function scheduleOf(pid: number | 'self'): Schedule {
  const [run, delay] = readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ').map(Number);
  return { run: (run as number) / 1e6, delay: (delay as number) / 1e6 };
}

/** Resident memory in MB: now, and the peak since `forgetPeak`. */
export function memoryOf(pid: number): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = (field: string) =>
    Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1]) / 1024;
  return { now: megabytes('VmRSS'), peak: megabytes('VmHWM') };
}

export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}
