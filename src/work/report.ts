import { constants } from 'node:os';
import type { Lease, Settled } from '../client/leaser.ts';
import { note } from '../output/terminal.ts';
import type { End } from './execution.ts';

/** Characters of a message that are shown. */
const SHOWN = 60;

/** Says how a command ended. */
export function reportEnd({ queue, body, attempt }: Lease, { status, time }: End, settled: Settled): void {
  const attempts = attempt === 1 ? '1 attempt' : `${attempt} attempts`;
  const last = settled === 'given up' ? `; given up on after ${attempts}` : '';
  note(`work ${queue}: ${shown(body)}: ${described(status)} (${(time / 1000).toFixed(3)} s)${last}`);
}

/** Says that the end of a command could not be told to the daemon. */
export function reportLost({ queue, body }: Lease): void {
  note(`work ${queue}: ${shown(body)}: its lease is gone: it ran out, or somebody settled it`);
}

/** Whether a command could not tell of its end, because it was not run to an end of its own. */
export function isUntold({ status }: End): boolean {
  return typeof status === 'string' && !isSignal(status);
}

function shown(body: Buffer): string {
  const text = JSON.stringify(body.subarray(0, SHOWN * 4).toString());
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}..."` : text;
}

function described(status: End['status']): string {
  if (status === 0) return 'done';
  if (typeof status === 'number') return `failed with status ${status}`;
  return isSignal(status) ? `failed by ${status}` : `failed: ${status}`;
}

function isSignal(status: string): status is NodeJS.Signals {
  return status in constants.signals;
}
