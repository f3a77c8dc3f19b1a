import type { Sighting } from './accounts.ts';
import { type Format, printed, record } from './printed.ts';
import { framingOptions, QUEUES, type QueueSpec } from './queues.ts';
import type { Random } from './random.ts';
import type { Run } from './run.ts';
import { checkStatus, finish, ranOutOfPatience } from './status.ts';
import { FileSink, type Pace, PIPE_SIZE, PipeSink, type Sink, SocketSink } from './stdio.ts';
import type { World } from './world.ts';

/** Bytes. Messages of a lossy queue are shorter; a reader that went away may have had a part of one more. */
const LONGEST_LOSSY = 1000;

/** Runs one `mq get`, of a kind chosen at random. */
export async function consume(world: World, random: Random): Promise<void> {
  const queues = choose(world, random);
  const [spec] = queues as [QueueSpec];
  const format = formatOf(random, spec);
  const { args, most, isEndless } = extent(random);
  const leaves = queues.every(({ isLossy }) => isLossy) && random.chance(0.4);
  const sink = sinkFor(world, random, leaves);
  const names = queues.map(({ name }) => name);
  const framing = format === 'json' ? ['--json'] : framingOptions(spec);
  const run = world.start('consumer', ['get', ...framing, ...args, ...names], { stdout: sink.far });
  const reading = sink.finish(run);
  await finish(world, run, isEndless ? 0 : 5000);
  const bytes = await reading;
  const hasLeft = sink instanceof PipeSink && sink.hasLeft;
  const closed = names.flatMap((name) => world.closedFor(name, run));
  if (!(hasLeft && run.signal === 'SIGPIPE'))
    checkStatus(world, run, [
      0,
      ...(args.includes('-t') || args.includes('-n') || args.includes('-a') ? [3] : []),
      ...closed,
    ]);
  if (hasLeft) {
    world.accounts.allow('a reader went away');
    for (const name of names) world.accounts.leak(name, PIPE_SIZE + LONGEST_LOSSY);
  }
  const fate = fateOf(world, run);
  const { entries, rest } = printed(bytes, format, false);
  record(world, run, { entries, rest, isPipe: sink instanceof PipeSink, hasLeft }, () => ({
    how: 'got',
    ...fate,
  }));
  if (fate.fate === 'final') checkCount(world, run, entries.length, most, args, hasLeft);
}

/** The fate of messages that a get has printed: they are gone, unless it could not tell the daemon. */
export function fateOf(world: World, run: Run): Pick<Sighting, 'fate' | 'why'> & { goneBy?: number } {
  const ended = run.ended as number;
  if (run.wasKilled) return { fate: 'maybe', why: 'a get that was killed' };
  if (run.signal !== undefined && run.interrupts.length > 1)
    return { fate: 'maybe', why: 'a get that was interrupted twice' };
  if (run.signal !== undefined && ranOutOfPatience(run))
    return { fate: 'maybe', why: 'a get that was interrupted and had no answer for 3 s' };
  if (run.status === 69 && world.befell(run, 'stop'))
    return { fate: 'maybe', why: 'a get that mq stop ended' };
  if (run.status === 69 || run.status === 79) return { fate: 'maybe', why: 'a get that lost the daemon' };
  return { fate: 'final', why: run.end, goneBy: ended };
}

/** Chooses one queue that has messages, most often; now and then two, or one twice. */
function choose(world: World, random: Random): QueueSpec[] {
  const taken = QUEUES.filter(({ taken }) => taken === 'get' || random.chance(0.03));
  const first = random.weighted(
    taken.map((spec) => [1 + Math.min(100, world.accounts.backlog(spec.name)), spec] as const),
  );
  if (world.has('twice') && random.chance(0.02)) return [first, first];
  if (!random.chance(0.1)) return [first];
  const others = taken.filter(({ name, framing }) => framing === first.framing && name !== first.name);
  return others.length === 0 ? [first] : [first, random.pick(others)];
}

function formatOf(random: Random, { framing }: QueueSpec): Format {
  if (random.chance(0.2)) return 'json';
  return framing === 'text' ? 'lines' : framing;
}

/** The number of messages that a get is to have, and how long it waits. */
function extent(random: Random): { args: string[]; most: number; isEndless: boolean } {
  const wait = random.pick([['-n'], ['-t', '200ms'], ['-t', '2s'], []]);
  const isEndless = wait.length === 0;
  switch (random.pick(['one', 'one', 'count', 'all', 'follow', 'follow'])) {
    case 'one':
      return { args: wait, most: 1, isEndless };
    case 'count': {
      const count = random.scale(1, 500);
      return { args: ['-c', String(count), ...wait], most: count, isEndless };
    }
    case 'all':
      return { args: ['-a'], most: Number.POSITIVE_INFINITY, isEndless: false };
    default:
      return { args: ['-f', ...wait], most: Number.POSITIVE_INFINITY, isEndless };
  }
}

export function sinkFor(world: World, random: Random, leaves = false): Sink {
  if (leaves)
    return new PipeSink(world.pipes, random, { ...paceOf(random), leavesAfter: random.scale(1, 20_000) });
  return random.weighted<() => Sink>([
    [5, () => new PipeSink(world.pipes, random, paceOf(random))],
    [3, () => new FileSink(world.file('output'))],
    [1, () => new SocketSink()],
  ])();
}

function paceOf(random: Random): Pace {
  return random.weighted([
    [3, { most: 64 * 1024, pause: 0 }],
    [2, { most: 8 * 1024, pause: random.scale(5, 100) }],
    [1, { most: 500, pause: random.scale(5, 300) }],
  ]);
}

/** The status says whether all wanted messages came. */
function checkCount(
  world: World,
  run: Run,
  count: number,
  most: number,
  args: string[],
  hasLeft: boolean,
): void {
  const { status } = run;
  const wrong =
    count > most ||
    (most !== Number.POSITIVE_INFINITY && status === 0 && count !== most && !hasLeft) ||
    (most !== Number.POSITIVE_INFINITY && (status === 3 || status === 4) && count === most) ||
    (args.includes('-a') && !hasLeft && ((status === 0 && count === 0) || (status === 3 && count > 0)));
  if (wrong) world.accounts.violate('status and count', `${run.end}, and ${count} messages`, [], [run]);
}
