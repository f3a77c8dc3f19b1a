import { closeSync, openSync, rmSync, writeFileSync } from 'node:fs';
import type { Item, Put } from './accounts.ts';
import { makeMessage } from './message.ts';
import { framingOptions, isMoved, QUEUES, type QueueSpec } from './queues.ts';
import type { Random } from './random.ts';
import type { Run } from './run.ts';
import { checkStatus, finish, ranOutOfPatience } from './status.ts';
import { Feed, type Piece } from './stdio.ts';
import type { World } from './world.ts';

/** Messages in a queue beyond which no more are put, so that it can be emptied in time. */
const MOST_BACKLOG = 3000;

/** The reason why all or nothing of a put is stored, and not known which. */
const ALL_OR_NOTHING = 'interrupted without a word';

const MEBIBYTE = 1024 * 1024;

/** Runs one put, of a kind chosen at random. */
export async function produce(world: World, random: Random): Promise<void> {
  const open = QUEUES.filter(
    ({ name, fed }) => fed !== 'no' && fed !== 'key' && world.accounts.backlog(name) < MOST_BACKLOG,
  );
  const spec = random.pick(open);
  if (spec === undefined) return;
  if (spec.fed === 'whole') await putWhole(world, random, spec);
  else if (spec.fed === 'delay') await putLater(world, random, spec);
  else if (random.chance(0.35)) await putOperands(world, random, spec, options(random, spec));
  else await putStream(world, random, spec, options(random, spec));
}

/** Options of a put, chosen at random. */
function options(random: Random, { hasPriorities, create }: QueueSpec): string[] {
  const all: string[] = [];
  if (hasPriorities) all.push('-p', String(random.between(-3, 3)));
  if (create?.includes('--maxsize') && random.chance(0.4))
    all.push(...random.pick([['-n'], ['-t', '300ms'], ['-t', '2s']]));
  return all;
}

async function putOperands(world: World, random: Random, spec: QueueSpec, more: string[]): Promise<void> {
  const count = random.pick([1, 1, 2, 3, 5, 30]);
  const messages = Array.from({ length: count }, () => message(world, random, spec, 'text'));
  const args = ['put', spec.name, ...more, ...messages.map(({ bytes }) => bytes.toString())];
  const run = world.start('producer', args);
  const put = entry(world, spec, run, messages, more);
  await finish(world, run, 3000);
  settle(world, put, { complete: count, hasEnded: true, said: count > 1 });
}

async function putStream(world: World, random: Random, spec: QueueSpec, more: string[]): Promise<void> {
  const limited = spec.create?.includes('--maxsize');
  const count = random.scale(1, limited ? 150 : 2000);
  const messages = Array.from({ length: count }, () => message(world, random, spec, spec.framing));
  const separator = spec.framing === 'null' ? '\0' : '\n';
  const parts: Buffer[] = messages.map(({ bytes }) => Buffer.concat([bytes, Buffer.from(separator)]));
  // The last line may lack its newline or NUL.
  const last = parts.at(-1) as Buffer;
  if (random.chance(0.2)) parts[count - 1] = last.subarray(0, -1);
  const all: Buffer = Buffer.concat(parts);
  const args = ['put', ...framingOptions(spec), ...more, spec.name];
  let put: Put | undefined;
  const given = await feed(world, random, args, all, (run) => {
    put = entry(world, spec, run, messages, more);
  });
  let end = 0;
  const ends = parts.map(({ length }) => (end += length));
  const lines = ends.filter((each) => each <= given.bytes).length;
  // Without its newline the last line is a message only once the end of input has come.
  const isWhole = given.bytes === all.length && (given.hasEnded || all.at(-1) === separator.charCodeAt(0));
  const complete = given.bytes === all.length && !isWhole ? count - 1 : lines;
  settle(world, put as Put, {
    complete,
    hasEnded: given.hasEnded && given.bytes === all.length,
    said: count > 1,
  });
}

async function putWhole(world: World, random: Random, spec: QueueSpec): Promise<void> {
  const one = message(world, random, spec, 'whole', random.chance(0.05) ? MEBIBYTE : undefined);
  let put: Put | undefined;
  const given = await feed(world, random, ['put', '-w', spec.name], one.bytes, (run) => {
    put = entry(world, spec, run, [one], []);
  });
  const isAll = given.hasEnded && given.bytes === one.bytes.length;
  settle(world, put as Put, { complete: isAll ? 1 : 0, hasEnded: isAll, said: false });
}

async function putLater(world: World, random: Random, spec: QueueSpec): Promise<void> {
  const delay = random.scale(50, 3000);
  const ttl = delay + random.scale(50, 3000);
  const more = random.chance(0.7) ? ['--delay', `${delay}ms`] : [];
  if (spec.isMortal) more.push('--ttl', `${ttl}ms`);
  if (random.chance(0.5)) await putOperands(world, random, spec, more);
  else await putStream(world, random, spec, more);
}

interface Made {
  serial: number;
  bytes: Buffer;
}

function message(
  world: World,
  random: Random,
  spec: QueueSpec,
  framing: QueueSpec['framing'],
  size?: number,
): Made {
  const serial = world.nextSerial();
  const most = random.chance(0.01) && !spec.isLossy ? spec.size * 100 : spec.size;
  // An operand can have 128 KiB at most (execve(2)).
  const length = size ?? Math.min(random.between(0, most), 100_000);
  const kind = spec.framing === 'text' ? 'text' : framing;
  return { serial, bytes: makeMessage(random, serial, length, kind) };
}

function entry(world: World, spec: QueueSpec, run: Run, messages: Made[], more: string[]): Put {
  const delay = more[more.indexOf('--delay') + 1];
  const put = world.accounts.newPut(spec.name, run, {
    isMortal: more.includes('--ttl'),
    ...(more.includes('--delay') &&
      !isMoved(spec) && { dueAt: run.began + Number.parseInt(delay as string, 10) }),
  });
  for (const { serial, bytes } of messages) world.accounts.newItem(put, String(serial), bytes.length);
  return put;
}

/** Runs a put with these bytes as its standard input: a file, or a pipe that is fed fast or slowly. */
async function feed(
  world: World,
  random: Random,
  args: string[],
  bytes: Buffer,
  started: (run: Run) => void,
): Promise<{ bytes: number; hasEnded: boolean }> {
  const kind = random.weighted([
    [2, 'file'],
    [6, 'pipe'],
    [2, 'socket'],
  ] as const);
  if (kind === 'file') {
    const path = world.file('input');
    writeFileSync(path, bytes);
    const stdin = openSync(path, 'r');
    const run = world.start('producer', args, { stdin });
    closeSync(stdin);
    started(run);
    await finish(world, run, 3000);
    rmSync(path);
    return { bytes: bytes.length, hasEnded: true };
  }
  const input = new Feed(kind === 'pipe' ? world.pipes : undefined);
  const run = world.start('producer', args, { stdin: input.far });
  started(run);
  const feeding = input.give(run, pieces(random, bytes), () => world.isEnding);
  await finish(world, run, 3000);
  await feeding;
  return { bytes: input.given, hasEnded: input.hasEnded };
}

function* pieces(random: Random, bytes: Buffer): Generator<Piece> {
  const isSlow = random.chance(0.6);
  // Fewer than a hundred, so that it takes some seconds at most.
  const most = isSlow ? Math.max(40, bytes.length / 30) : 64 * 1024;
  for (let at = 0; at < bytes.length; ) {
    const size = isSlow ? Math.ceil(random.scale(1, most)) : most;
    yield { bytes: bytes.subarray(at, at + size), after: isSlow ? random.scale(1, 400) : 0 };
    at += size;
  }
  // Its end may come late, and may never come.
  if (isSlow) yield { bytes: Buffer.alloc(0), after: random.pick([0, 0, 500, 60_000]) };
}

interface Given {
  /** The number of whole messages that the put may have read. */
  complete: number;
  /** Whether it may have read the end of its input. */
  hasEnded: boolean;
  /** Whether a put that stops early has to say how many messages were stored: one of several messages has. */
  said: boolean;
}

/** Derives from the end of a put how much is stored. */
function settle(world: World, put: Put, given: Given): void {
  const run = put.run as Run;
  const isLimited = run.args.includes('-n') || run.args.includes('-t');
  checkStatus(world, run, [0, ...(isLimited ? [3] : []), ...world.closedFor(put.queue, run)]);
  const [least, most, why] = storedBy(world, run, put.items, given);
  put.isAtomic = why === ALL_OR_NOTHING;
  world.accounts.settle(put, least, most, why);
}

/** The least and the greatest number of stored messages, and the reason. */
function storedBy(
  { accounts }: World,
  run: Run,
  items: Item[],
  { complete, hasEnded, said }: Given,
): [least: number, most: number, why: string] {
  const told = numberTold(run.errors);
  if (run.status === 0) {
    if (complete < items.length || !hasEnded)
      accounts.violate('put too early', `it ended with 0 and had ${complete} of ${items.length}`, [], [run]);
    return [items.length, items.length, 'status 0'];
  }
  if (run.wasKilled) return [0, complete, 'it was killed'];
  if (told !== undefined && told > complete) {
    const what = `it says that ${told} were stored; of ${complete} it had seen the end`;
    accounts.violate('put of a part', what, items.slice(complete, told), [run]);
    return [complete, items.length, `${told} told`];
  }
  if (run.status === 79) return [told ?? 0, complete, 'status 79'];
  if (told !== undefined && /not known/.test(run.errors)) {
    accounts.allow('put interrupted, and it says that it does not know of all');
    return [told, complete, `${told} told, and no more known`];
  }
  if (told !== undefined) return [told, told, `${told} told`];
  if (run.signal === undefined) return [0, 0, `${run.end}, and no number told`];
  if (run.interrupts.length > 1) return [0, complete, 'it was interrupted twice'];
  if (ranOutOfPatience(run)) {
    accounts.allow('put interrupted, and after 3 s without a word');
    return [0, complete, 'it was interrupted, and had no answer for 3 s'];
  }
  if (!said) return [0, complete, 'it was interrupted'];
  // A put cannot catch signals at its start, when nothing is stored, and at its end (main.ts), when everything is.
  accounts.allow('put interrupted in its first or last moment, without a word: all or nothing is stored');
  return [0, complete === items.length && hasEnded ? complete : 0, ALL_OR_NOTHING];
}

/** The number of stored messages that a put states. */
export function numberTold(errors: string): number | undefined {
  const [all, number] = /(?:(\d+) messages? (?:was|were)|nothing was) stored/.exec(errors) ?? [];
  if (all === undefined) return undefined;
  return number === undefined ? 0 : Number(number);
}
