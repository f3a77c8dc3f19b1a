import type { Item, Sighting } from './accounts.ts';
import { type Flaw, type Framing, type Output, readMessage, serialIn } from './message.ts';
import { QUEUES } from './queues.ts';
import type { Run } from './run.ts';
import type { World } from './world.ts';

export type Format = Framing | 'json';

export interface Entry {
  body: Buffer;
  lease: string | undefined;
  attempt: number | undefined;
}

interface Printed {
  entries: Entry[];
  /** The bytes after the last whole message. */
  rest: Buffer;
}

/** Bytes. A message up to this length, with its terminator, goes into a pipe as a whole or not at all. */
const ATOMIC = 4096;

/** Cuts standard output of get into messages. */
export function printed(bytes: Buffer, format: Format, isLeased: boolean): Printed {
  if (format === 'whole') return sequence(bytes, isLeased);
  const separator = format === 'null' ? 0 : 0x0a;
  const entries: Entry[] = [];
  let start = 0;
  for (let end = bytes.indexOf(separator); end !== -1; end = bytes.indexOf(separator, start)) {
    const part = bytes.subarray(start, end);
    entries.push(format === 'json' ? fromJson(part) : isLeased ? fromLine(part) : bare(part));
    start = end + 1;
  }
  return { entries, rest: bytes.subarray(start) };
}

/** Cuts messages with nothing between them, by the length in each header; bytes without a header run to the end. */
function sequence(bytes: Buffer, isLeased: boolean): Printed {
  const entries: Entry[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tab = isLeased ? bytes.indexOf(9, at) : -1;
    if (isLeased && tab === -1) return { entries, rest: bytes.subarray(at) };
    const start = isLeased ? tab + 1 : at;
    const message = readMessage(bytes.subarray(start));
    if (message === 'cut') return { entries, rest: bytes.subarray(at) };
    const end = message === 'altered' ? bytes.length : start + message.length;
    entries.push({
      ...bare(bytes.subarray(start, end)),
      lease: isLeased ? bytes.toString('latin1', at, tab) : undefined,
    });
    at = end;
  }
  return { entries, rest: Buffer.alloc(0) };
}

function bare(body: Buffer): Entry {
  return { body, lease: undefined, attempt: undefined };
}

function fromLine(line: Buffer): Entry {
  const tab = line.indexOf(9);
  return { ...bare(line.subarray(tab + 1)), lease: line.toString('latin1', 0, tab) };
}

function fromJson(line: Buffer): Entry {
  const { body, body_base64, lease, attempt } = JSON.parse(line.toString()) as Record<string, string> & {
    attempt: number;
  };
  const bytes = body === undefined ? Buffer.from(body_base64 as string, 'base64') : Buffer.from(body);
  return { body: bytes, lease, attempt };
}

/** Enters the messages that a run has printed; returns the sightings, undefined for bytes of no message here. */
export function record(
  world: World,
  run: Run,
  output: Printed & { isPipe: boolean; hasLeft?: boolean },
  sighting: (entry: Entry) => Pick<Sighting, 'how' | 'fate' | 'why'> & Partial<Sighting>,
): (Sighting | undefined)[] {
  const { entries, rest, isPipe, hasLeft } = output;
  if (!hasLeft) checkRest(world, run, rest, isPipe);
  return entries.map((entry) => {
    const item = itemOf(world, run, entry.body);
    if (item === undefined) return undefined;
    const { lease, attempt } = entry;
    return world.accounts.sight(item, {
      run,
      at: run.ended as number,
      ...(lease !== undefined && { lease }),
      ...(attempt !== undefined && { attempt }),
      ...sighting(entry),
    });
  });
}

/** The item of these bytes; if there is none, that is a violation. */
export function itemOf(world: World, run: Run, body: Buffer): Item | undefined {
  const { accounts } = world;
  const message = readMessage(body);
  const flaw: Flaw | undefined =
    typeof message === 'string' ? message : message.length === body.length ? undefined : 'altered';
  const item =
    typeof message === 'string'
      ? accounts.item(String(serialIn(body)))
      : message.kind === 'input'
        ? accounts.item(String(message.serial))
        : outputItem(world, message);
  if (flaw !== undefined) {
    accounts.violate(`message ${flaw}`, `${body.length} bytes came out: ${shown(body)}`, item ? [item] : [], [
      run,
    ]);
    return undefined;
  }
  if (item === undefined)
    accounts.violate('message of earlier', `it was done in an earlier round: ${shown(body)}`, [], [run]);
  return item;
}

/** The item of one output. The outputs of one command are put in one step, so all are entered with the first. */
function outputItem(world: World, { input, lease, index, count }: Output): Item | undefined {
  const { accounts } = world;
  const source = accounts.item(String(input.serial));
  if (source === undefined) return undefined;
  const nameOf = (i: number) => outputName(source.name, lease, i);
  if (accounts.item(nameOf(1)) === undefined) {
    const queue = QUEUES.find(({ name }) => name === source.put.queue)?.into ?? source.put.queue;
    const put = accounts.newPut(queue, undefined, { isAtomic: true });
    for (let i = 1; i <= count; i++) accounts.newItem(put, nameOf(i), source.bytes);
    accounts.settle(put, 0, count, `printed for ${input.serial} under lease ${lease}`);
  }
  return accounts.item(nameOf(index));
}

export function outputName(source: string, lease: string, index: number): string {
  return `${source}/${lease}/${index}`;
}

/** Only an interrupted command leaves a part of a message behind, and in a pipe only of a long one. */
function checkRest(world: World, run: Run, rest: Buffer, isPipe: boolean): void {
  if (rest.length === 0) return;
  const serial = serialIn(rest);
  const item = serial === undefined ? undefined : world.accounts.item(String(serial));
  const isShort = item !== undefined && item.bytes < ATOMIC - 200 && item.put.run !== undefined;
  if (run.status === 0 || run.status === 3)
    world.accounts.violate(
      'part of a message',
      `it ended with ${run.end} and ${shown(rest)}`,
      item ? [item] : [],
      [run],
    );
  else if (isPipe && isShort && !run.args.includes('--json'))
    world.accounts.violate('part of a message', `in a pipe there is ${shown(rest)}`, [item], [run]);
}

function shown(bytes: Buffer): string {
  return JSON.stringify(bytes.toString('latin1', 0, 100)) + (bytes.length > 100 ? '...' : '');
}
