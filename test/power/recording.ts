import { readFileSync } from 'node:fs';
import type { Event } from './disk.ts';

/** The file in which a recorded process writes its marks, a line each. */
export const MARKS = 'marks';

/** Reads what `recorder.c` has written. */
export function readRecording(path: string): Event[] {
  const log = readFileSync(path);
  const events: Event[] = [];
  for (let at = 0; at < log.length; ) {
    const end = log.indexOf('\n', at);
    const [what, file, number, length] = log.toString('latin1', at, end).split(' ') as [
      'write' | 'truncate' | 'remove' | 'sync' | 'synced',
      string,
      string,
      string,
    ];
    at = end + 1 + Number(length);
    const bytes = log.subarray(end + 1, at);
    if (file === MARKS) events.push({ what: 'mark', mark: bytes.toString().trimEnd() });
    else if (what === 'write') events.push({ what, file, at: Number(number), bytes });
    else if (what === 'truncate') events.push({ what, file, at: Number(number) });
    else if (what === 'remove') events.push({ what, file });
    else events.push({ what, file, call: Number(number) });
  }
  return events;
}
