import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { pidOf, stateOf } from '../holder.ts';
import { bodyStart, isLarge, type Large, messageEnd, type Packed } from '../packed.ts';
import { Bodies, type Value } from '../protocol/values.ts';
import type { RequestOf } from '../protocol/verbs/row.ts';
import type { Queues } from '../queue/queues.ts';
import type { Entry } from '../store/look.ts';
import { checkLarge, rangeOf } from '../store/run.ts';

/** Bytes of messages after which an answer with messages of one state has no further one. */
const PAGE_BYTES = 1024 * 1024;

/** The messages that PEEK asks for one by one: by an id, in a state, or the next ones. */
export async function entriesOf(
  { queue, count, id, state, after = 0 }: RequestOf<'PEEK'>,
  queues: Queues,
  bytes: number,
): Promise<Entry[]> {
  const { store } = queues;
  if (id !== undefined) return store.look(queue, { from: id, to: id, count: 1, bytes: 1 });
  if (state !== undefined) {
    const wanted = state === 'all' ? undefined : state;
    return store.look(queue, { from: after + 1, state: wanted, count, bytes: PAGE_BYTES });
  }
  const entries: Entry[] = [];
  for (const run of await store.peek(queue, { count, bytes })) {
    const { first, last } = rangeOf(run);
    const some = { from: first, to: last, state: 'waiting', count: Infinity, bytes: Infinity } as const;
    const found = await store.look(queue, some);
    entries.push(...(run.step === 1 ? found : found.reverse()));
  }
  return entries;
}

/** Messages as maps. @param cut the most bytes of each body */
export async function describeEntries(
  entries: readonly Entry[],
  queue: string,
  queues: Queues,
  cut: number | undefined,
): Promise<Map<string, Value>[]> {
  if (cut === undefined) await checkLarge(entries.map(({ run }) => run));
  return Promise.all(
    entries.map(async (entry) => {
      const { size, body } = await bodyOf(entry.run.messages, cut);
      return new Map<string, Value>([...fieldsOf(entry, queue, queues), ['size', size], ['body', body]]);
    }),
  );
}

/** Points in time are those of the wall clock, because people read them. */
function fieldsOf(
  { run, state, dueIn, expiresIn, key }: Entry,
  queue: string,
  queues: Queues,
): [string, Value][] {
  const at = (milliseconds: number | undefined) =>
    milliseconds === undefined ? null : Math.floor(Date.now() + milliseconds);
  const holder = state === 'leased' ? queues.holderOf(queue, run) : undefined;
  const pid = holder === undefined ? undefined : pidOf(holder);
  return [
    ['id', run.id],
    ['state', state],
    ['priority', run.priority],
    ['put_at', run.putAt],
    ['attempt', run.failures + 1],
    ['due_at', at(dueIn)],
    ['expires_at', at(expiresIn)],
    ['key', key ?? null],
    ['lease', run.leases?.tokens[0] ?? null],
    ['lease_until', at(run.leases?.left)],
    ['origin_queue', run.origin?.queue ?? null],
    ['origin_id', run.origin?.id ?? null],
    ['holder_host', pid === undefined ? null : hostname()],
    ['holder_pid', pid ?? null],
    ['holder_command', holder === undefined || pid === undefined ? null : commandOf(holder, pid)],
  ];
}

/** The command line of a process (proc_pid_cmdline(5)), if it can be seen. */
function commandOf(holder: string, pid: number): string | null {
  if (stateOf(holder) !== 'living') return null;
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/\0$/, '').replaceAll('\0', ' ');
  } catch {
    return null;
  }
}

/** A body and its size; of a large message that is cut, only the beginning is read. */
async function bodyOf(messages: Packed | Large, cut = Infinity): Promise<{ size: number; body: Value }> {
  if (!isLarge(messages)) {
    const { bytes } = messages;
    const start = bodyStart(bytes, 0);
    const body = bytes.subarray(start, messageEnd(bytes, 0) - 2);
    return { size: body.length, body: body.subarray(0, cut) };
  }
  for await (const piece of messages.pieces()) {
    const start = bodyStart(piece, 0);
    const size = messages.size - start - 2;
    return { size, body: cut < size ? piece.subarray(start, start + cut) : new Bodies([messages], 'one') };
  }
  throw new Error('a message has no bytes');
}
