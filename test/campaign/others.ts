import { QUEUES } from './queues.ts';
import type { Random } from './random.ts';
import { checkStatus, finish, pause } from './status.ts';
import type { World } from './world.ts';

/** The counters that `mq stat --json` prints. */
export interface Stat {
  name: string;
  waiting: number;
  delayed: number;
  leased: number;
  put: number;
  got: number;
  done: number;
  failed: number;
  dead: number;
  expired: number;
}

/** Moves messages from one queue to another, and counts them, as far as the command told it. */
export class Moves {
  told = 0;
  /** Some moves had no answer. */
  isUnsure = false;

  async move(world: World, random: Random): Promise<void> {
    const { name, moves } = random.pick(QUEUES.filter(({ moves }) => moves !== undefined));
    const some = random.chance(0.5) ? ['-c', String(random.scale(1, 100))] : [];
    const run = world.start('other', ['move', ...some, name, moves as string]);
    await finish(world, run, 5000);
    // 3: TO has no room; 5: nothing has been put into FROM yet.
    checkStatus(world, run, [0, 3, 5]);
    const told = /\b(\d+) (?:messages? (?:was|were) )?moved/.exec(run.errors)?.[1];
    if (told !== undefined) this.told += Number(told);
    else if (![3, 5, 69].includes(run.status ?? -1)) this.isUnsure = true;
  }
}

/** Closes a queue for a moment. */
export async function closeAndOpen(world: World, random: Random): Promise<void> {
  const queue = random.pick(['lines', 'ranks', 'nulls']);
  const closing = { queue, at: Date.now(), until: Number.POSITIVE_INFINITY };
  world.closings.push(closing);
  const { run } = await world.ask('close', queue);
  checkStatus(world, run, [0, 5]);
  await pause(random.scale(10, 1000));
  for (;;) {
    const { run } = await world.ask('open', queue);
    checkStatus(world, run, [0, 5]);
    if (run.status === 0 || run.status === 5) break;
  }
  closing.until = Date.now();
}

/** Checks that the counters of each queue fit together, as they must at any moment. */
export async function audit(world: World): Promise<void> {
  const { run, out } = await world.ask('ls', '--json');
  checkStatus(world, run, [0]);
  if (run.status !== 0) return;
  for (const line of out.trimEnd().split('\n')) {
    if (line !== '') checkStat(world, JSON.parse(line) as Stat);
  }
}

/** Each message that came in is still there, went out in a way that is counted, or was moved. */
export function checkStat(world: World, stat: Stat): void {
  const { name, put, done, expired, dead, waiting, delayed, leased } = stat;
  const spec = QUEUES.find((each) => each.name === name);
  if (spec === undefined) return;
  const uncounted = put - done - expired - dead - waiting - delayed - leased;
  const isWrong = spec.moves === undefined ? uncounted !== 0 : uncounted < 0;
  const isNegative = Object.values(stat).some((value) => typeof value === 'number' && value < 0);
  if (isWrong || isNegative)
    world.accounts.violate(
      'counters',
      `${uncounted} of ${name} are unaccounted for: ${JSON.stringify(stat)}`,
    );
}
