import type { Sighting } from './accounts.ts';
import { fateOf, sinkFor } from './consumers.ts';
import { printed, record } from './printed.ts';
import { framingOptions, LONG_LEASE, QUEUES, type QueueSpec } from './queues.ts';
import type { Random } from './random.ts';
import type { Run } from './run.ts';
import { checkStatus, finish, pause } from './status.ts';
import { PipeSink } from './stdio.ts';
import type { World } from './world.ts';

/** Duration of an extended lease, in ms. */
const EXTENDED = 20_000;

/** A lease that the campaign has on a message. */
interface Holding {
  sighting: Sighting & { lease: string };
  /** Time before which the lease cannot run out. */
  until: number;
  /** Whether the lease outlived its get, as far as is known. */
  isFirm: boolean;
}

/** Takes leases and settles them. Some are kept until the round ends, and settled then, since they do not run out. */
export class Leases {
  readonly #kept: { queue: string; holdings: Holding[] }[] = [];

  /** Runs one `mq get --lease`, and decides what happens to its leases. */
  async take(world: World, random: Random): Promise<void> {
    const specs = QUEUES.filter(({ taken }) => taken === 'lease');
    const spec = random.weighted(specs.map((each) => [1 + world.accounts.backlog(each.name), each] as const));
    const holdings = await lease(world, random, spec);
    for (let left = holdings; left.length > 0; ) {
      const some = left.slice(0, random.between(1, left.length));
      left = left.slice(some.length);
      await this.#decide(world, random, spec, some);
    }
  }

  /** Settles the leases that are left. */
  async end(world: World): Promise<void> {
    for (const { queue, holdings } of this.#kept.splice(0))
      await settle(world, queue, 'done', holdings, 'untouched');
  }

  async #decide(
    world: World,
    random: Random,
    { name, lease }: QueueSpec,
    holdings: Holding[],
  ): Promise<void> {
    if (random.chance(0.5)) await pause(random.scale(1, 1500));
    switch (random.pick(['done', 'done', 'fail', 'extend', 'keep'])) {
      case 'done':
        return settle(world, name, 'done', holdings);
      case 'fail':
        return settle(
          world,
          name,
          'fail',
          holdings,
          'settler',
          random.chance(0.5) ? ['--delay', '100ms'] : [],
        );
      case 'extend':
        for (const holding of holdings) await extend(world, name, holding);
        return settle(world, name, 'done', holdings);
      default:
        if (lease === Number.POSITIVE_INFINITY) this.#kept.push({ queue: name, holdings });
        else for (const { sighting } of holdings) Object.assign(sighting, ranOut());
    }
  }
}

function ranOut(): Partial<Sighting> {
  return { fate: 'back', why: 'its lease ran out', counts: 'maybe' };
}

async function lease(world: World, random: Random, spec: QueueSpec): Promise<Holding[]> {
  const isEndless = spec.lease === Number.POSITIVE_INFINITY;
  const duration = isEndless ? LONG_LEASE : `${spec.lease}ms`;
  const count = random.scale(1, 20);
  const isJson = random.chance(0.3);
  const wait = random.pick([['-n'], ['-t', '1s']]);
  const format = isJson ? ['--json'] : framingOptions(spec);
  const sink = sinkFor(world, random);
  const args = ['get', '--lease', duration, ...format, '-c', String(count), ...wait, spec.name];
  const run = world.start('leaser', args, { stdout: sink.far });
  const reading = sink.finish(run);
  await finish(world, run, 5000);
  const bytes = await reading;
  checkStatus(world, run, [0, 3, ...world.closedFor(spec.name, run)]);
  const isFirm = fateOf(world, run).fate === 'final';
  const output = printed(bytes, isJson ? 'json' : spec.framing === 'text' ? 'lines' : spec.framing, true);
  const sightings = record(world, run, { ...output, isPipe: sink instanceof PipeSink }, () => ({
    how: 'leased',
    fate: 'maybe',
    why: 'not settled yet',
    counts: 'maybe',
  }));
  const until = run.began + (spec.lease as number);
  return sightings.flatMap((sighting) =>
    sighting?.lease === undefined ? [] : [{ sighting: sighting as Holding['sighting'], until, isFirm }],
  );
}

async function extend(world: World, queue: string, holding: Holding): Promise<void> {
  const run = world.start('settler', ['extend', queue, holding.sighting.lease, `${EXTENDED}ms`]);
  await finish(world, run, 5000);
  checkStatus(world, run, [0, 5]);
  const until = run.began + EXTENDED;
  if (run.status === 0) holding.until = until;
  else holding.until = Math.min(holding.until, until);
  if (run.status === 5) checkMissing(world, run, holding, false);
}

/** Runs done or fail until the outcome of each lease is known. */
async function settle(
  world: World,
  queue: string,
  verb: 'done' | 'fail',
  holdings: Holding[],
  role: 'settler' | 'untouched' = 'settler',
  more: string[] = [],
): Promise<void> {
  let left = holdings;
  /** An earlier run may have settled them. */
  let isUnsure = false;
  while (left.length > 0) {
    const run = world.start(role, [verb, ...more, queue, ...left.map(({ sighting }) => sighting.lease)]);
    await finish(world, run, 5000);
    checkStatus(world, run, [0, 5]);
    if (run.status !== 0 && run.status !== 5) {
      // Status 69 says that nothing was done but what it tells.
      isUnsure ||= run.status !== 69 || /of the leases are settled/.test(run.errors);
      await pause(50);
      continue;
    }
    const missing = run.status === 5 ? leasesIn(run.errors) : new Set<string>();
    for (const holding of left) {
      const { sighting } = holding;
      const isMissing = missing.has(sighting.lease);
      if (isMissing) Object.assign(sighting, fateOfMissing(world, run, holding, isUnsure, verb));
      else if (verb === 'done')
        Object.assign(sighting, { fate: 'final', why: 'done', goneBy: run.ended, counts: 'no' });
      else Object.assign(sighting, { fate: 'back', why: 'fail', counts: 'yes' });
    }
    if (run.status === 5 && missing.size === 0)
      world.accounts.violate('status 5', 'it names no lease', [], [run]);
    left = [];
  }
}

function fateOfMissing(
  world: World,
  run: Run,
  holding: Holding,
  isUnsure: boolean,
  verb: 'done' | 'fail',
): Partial<Sighting> {
  const isRight = checkMissing(world, run, holding, isUnsure);
  if (verb === 'fail') return { fate: 'back', why: 'fail, and it was not there', counts: 'maybe' };
  if (isRight && !isUnsure) return ranOut();
  return { fate: 'maybe', why: 'a done that had no answer', counts: 'maybe' };
}

/** @returns whether a lease may be gone; if it may not, that is entered as a violation */
function checkMissing(
  world: World,
  run: Run,
  { sighting, until, isFirm }: Holding,
  isUnsure: boolean,
): boolean {
  if (!isFirm || isUnsure || (run.ended as number) >= until) return true;
  const item = world.accounts.leased(sighting.lease);
  world.accounts.violate(
    'lease gone',
    `lease ${sighting.lease} is not there, and had ${Math.round((until - (run.ended as number)) / 1000)} s left`,
    item ? [item] : [],
    [run],
  );
  return false;
}

function leasesIn(errors: string): Set<string> {
  return new Set([...errors.matchAll(/\b\d+\.[0-9a-z]+\b/g)].map(([lease]) => lease));
}
