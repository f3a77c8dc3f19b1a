import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Item, Sighting } from './accounts.ts';
import { readMessage, serialIn } from './message.ts';
import { itemOf, outputName } from './printed.ts';
import { framingOptions, LONG_LEASE, QUEUES, type QueueSpec } from './queues.ts';
import type { Random } from './random.ts';
import type { Run } from './run.ts';
import { checkStatus, finish, pause } from './status.ts';
import type { World } from './world.ts';

const COMMAND = resolve('test/campaign/command.sh');

interface Worker {
  run: Run;
  spec: QueueSpec;
  /** The number of outputs that each of its commands prints; undefined without --into. */
  outputs: number | undefined;
  isArgument: boolean;
}

/** Workers, and the notes of their commands. */
export class Workers {
  readonly #folder: string;
  readonly #workers = new Map<number, Worker>();

  constructor(world: World) {
    this.#folder = join(world.folder, 'runs');
    mkdirSync(this.#folder, { recursive: true });
  }

  /** Runs one `mq work`, for some time or until nothing is left. */
  async work(world: World, random: Random): Promise<void> {
    const specs = QUEUES.filter(({ taken }) => taken === 'work');
    const spec = random.weighted(specs.map((each) => [5 + world.accounts.backlog(each.name), each] as const));
    const { name, into, framing, lease, also } = spec;
    const other = also !== undefined && random.chance(0.3) ? [also] : [];
    const isArgument = framing === 'text' && other.length === 0 && random.chance(0.4);
    const outputs = into === undefined ? undefined : framing === 'whole' ? 1 : random.between(0, 3);
    const does = isArgument
      ? ['argument', '{}']
      : outputs === undefined
        ? ['keep']
        : framing === 'whole'
          ? ['whole']
          : ['lines', String(outputs)];
    const drains = random.chance(0.3);
    const args = [
      ...['work', ...framingOptions(spec), '-j', String(random.pick([1, 1, 2, 4]))],
      ...['--lease', lease === Number.POSITIVE_INFINITY ? LONG_LEASE : `${lease}ms`],
      ...(into === undefined ? [] : ['--into', into]),
      ...(drains ? ['--drain'] : []),
      ...[...(random.chance(0.5) ? [name, ...other] : [...other, name]), '--', 'sh', COMMAND, ...does],
    ];
    const env = { CAMPAIGN_RUNS: this.#folder, CAMPAIGN_RUN: String(world.nextRun) };
    const run = world.start('worker', args, { env });
    this.#workers.set(run.id, { run, spec, outputs, isArgument });
    if (!drains) {
      for (let left = random.scale(300, 8000); left > 0 && run.isLive && !world.isEnding; left -= 100)
        await Promise.race([pause(100), run.exited]);
      if (run.isLive && run.interrupts.length === 0) run.send('SIGTERM');
    }
    await finish(world, run, 0);
    checkStatus(world, run, [0, 123]);
  }

  /** Enters the notes of the commands, once all of them have ended and their outputs have come out. */
  collect(world: World): void {
    for (const name of readdirSync(this.#folder)) {
      const path = join(this.#folder, name);
      const [id, lease, attempt] = name.split(',') as [string, string, string];
      const worker = this.#workers.get(Number(id)) as Worker;
      const noted = withoutEnd(readFileSync(path), worker);
      this.#enter(world, worker, noted, { lease, attempt: Number(attempt), at: statSync(path).mtimeMs });
      rmSync(path);
    }
    this.#workers.clear();
  }

  #enter(
    world: World,
    worker: Worker,
    noted: Buffer,
    known: Pick<Sighting, 'at'> & { lease: string; attempt: number },
  ): void {
    const { run } = worker;
    const isClean = wasClean(world, run);
    if (!isClean && readMessage(noted) === 'cut') {
      // Its command was ended while it noted the message.
      const item = world.accounts.item(String(serialIn(noted)));
      if (item)
        world.accounts.sight(item, {
          how: 'ran',
          run,
          ...known,
          ...back('its command was ended'),
          counts: 'no',
        });
      return;
    }
    const item = itemOf(world, run, noted);
    if (item)
      world.accounts.sight(item, {
        how: 'ran',
        run,
        ...known,
        ...fateOf(world, worker, item, known.lease, isClean),
      });
  }
}

/** How a command with this lease ends. The last character of the lease decides, so that no note of it is needed. */
function endOf(lease: string): 'fails' | 'succeeds' {
  return /[0-7]$/.test(lease) ? 'fails' : 'succeeds';
}

/** Whether a worker let all its commands finish, and told the daemon. */
function wasClean(world: World, run: Run): boolean {
  return (
    !run.wasKilled &&
    run.interrupts.length <= 1 &&
    run.status !== 69 &&
    run.status !== 79 &&
    !world.befell(run, 'stop')
  );
}

function fateOf(
  world: World,
  { run, spec, outputs }: Worker,
  item: Item,
  lease: string,
  isClean: boolean,
): Pick<Sighting, 'fate' | 'why'> & Partial<Sighting> {
  const isSafe = isClean && spec.lease === Number.POSITIVE_INFINITY;
  const arePut = world.accounts.item(outputName(item.name, lease, 1)) !== undefined;
  if (endOf(lease) === 'fails') {
    if (arePut) world.accounts.violate('outputs of a failed command', `under lease ${lease}`, [item], [run]);
    return { ...back('its command failed'), counts: isSafe ? 'yes' : 'maybe' };
  }
  const isFinal = { fate: 'final', goneBy: run.ended as number, counts: 'no' } as const;
  if (outputs !== undefined && outputs > 0) {
    if (arePut) return { ...isFinal, why: 'its outputs were put' };
    if (isSafe) world.accounts.violate('outputs dropped', `under lease ${lease}`, [item], [run]);
    return { ...back('its outputs were not put'), counts: 'maybe' };
  }
  if (isSafe) return { ...isFinal, why: 'its command succeeded' };
  const why = isClean ? 'a worker whose short lease may have run out' : 'a worker that was killed or stopped';
  return { fate: 'maybe', why, counts: 'maybe' };
}

function back(why: string): Pick<Sighting, 'fate' | 'why'> {
  return { fate: 'back', why };
}

/** The message without the terminator that `mq work` adds. */
function withoutEnd(noted: Buffer, { spec, isArgument }: Worker): Buffer {
  return isArgument || spec.framing === 'whole' || noted.length === 0 ? noted : noted.subarray(0, -1);
}
