import type { EntryMap } from '../client/entries.ts';
import { bodyJson } from './render.ts';

/** A message's fields as a JSON object on a line; those that it has not are left out. */
export function entryJson(queue: string, entry: EntryMap): string {
  const text = (field: string) => (entry.get(field) == null ? undefined : String(entry.get(field)));
  const number = (field: string) => (entry.get(field) == null ? undefined : Number(entry.get(field)));
  const time = (field: string) => {
    const at = number(field);
    return at === undefined ? undefined : new Date(at).toISOString();
  };
  const attempt = number('attempt') as number;
  const origin = text('origin_queue');
  const pid = number('holder_pid');
  return `${JSON.stringify({
    queue,
    id: number('id'),
    state: text('state'),
    ...bodyJson(entry.get('body') as Buffer),
    priority: number('priority'),
    attempt,
    failures: attempt - 1,
    put_at: time('put_at'),
    due_at: time('due_at'),
    expires_at: time('expires_at'),
    key: text('key'),
    lease: text('lease'),
    lease_until: time('lease_until'),
    origin: origin && { queue: origin, id: number('origin_id') },
    holder: pid && { host: text('holder_host'), pid, command: text('holder_command') },
  })}\n`;
}
