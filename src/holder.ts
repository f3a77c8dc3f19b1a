import { readFileSync, readlinkSync } from 'node:fs';
import { startOf } from './processes.ts';

/**
 * A holder is the name of a process that messages are held for: one word, `token,boot,namespace,pid,start`.
 * The token is random, and no other process has it. The rest tells where to look for the process: the boot of the
 * machine (proc_sys_kernel(5), random/boot_id), the pid namespace (pid_namespaces(7)), the pid in it, and the time of
 * its start (startOf). `-` stands for a part that cannot be known, as without /proc.
 *
 * Clients up to mq 0.5 have none. They name their pid, and the daemon makes `pid start` of it.
 */
const HOLDER = /^[0-9a-z]{8,40},([0-9a-f-]{36}|-),(\d{1,20}|-),(\d{1,10}),(\d{1,20}|-)$/;

/** The name of this process. */
export function ownHolder(): string {
  return [TOKEN, bootId(), pidNamespace(), process.pid, startOf(process.pid) ?? '-'].join(',');
}

/** The random part of this process's name. */
export const TOKEN = [1, 2].map(() => Math.random().toString(36).slice(2, 12).padEnd(10, '0')).join('');

export function isHolder(word: string): boolean {
  return HOLDER.test(word);
}

/** The holder that a client up to mq 0.5 is; undefined when there is no such process. */
export function holderOfPid(pid: number): string | undefined {
  const start = startOf(pid);
  return start === undefined ? undefined : `${pid} ${start}`;
}

/** Whether the process lives; 'unknown': it cannot be seen from here. */
export function stateOf(holder: string): 'living' | 'gone' | 'unknown' {
  const [, boot, namespace, pid, start] = HOLDER.exec(holder) ?? [];
  if (pid === undefined) return holderOfPid(Number.parseInt(holder, 10)) === holder ? 'living' : 'gone';
  if (boot === '-' || bootId() === '-') return 'unknown';
  if (boot !== bootId()) return 'gone';
  if (namespace === '-' || namespace !== pidNamespace() || start === '-') return 'unknown';
  return startOf(Number(pid)) === start ? 'living' : 'gone';
}

/** The pid of the process, where it runs. */
export function pidOf(holder: string): number {
  return Number(HOLDER.exec(holder)?.[3] ?? Number.parseInt(holder, 10));
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return '-';
  }
}

/** The link reads `pid:[4026531836]`. */
function pidNamespace(): string {
  try {
    return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '-';
  } catch {
    return '-';
  }
}
