import { type Item, type Put, type Sighting, storedOf } from './accounts.ts';
import { checkKeys } from './keys.ts';
import { checkStat, type Moves, type Stat } from './others.ts';
import { QUEUES, specOf } from './queues.ts';
import type { World } from './world.ts';

/** Error of rounded clocks, in ms. */
const ROUNDING = 50;

/**
 * Gives the verdict on a round, once all messages that came out are entered.
 * @param counted the counters of the queues, once they are empty
 */
export function check(world: World, counted?: { stats: Stat[]; moves: Moves }): void {
  for (const put of world.accounts.puts) checkPut(world, put);
  for (const item of world.accounts.items()) checkItem(world, item);
  checkWords(world);
  checkKeys(world);
  checkLeaks(world);
  if (counted) checkCounters(world, counted.stats, counted.moves);
}

/** A put stored as many messages as it said, and they are its first ones. */
function checkPut(world: World, put: Put): void {
  const { items, least, most, why } = put;
  const seen = items.filter(({ sightings }) => sightings.length > 0);
  const beyond = seen.filter(({ index }) => index >= most);
  const run = put.run ? [put.run] : [];
  if (beyond.length > 0)
    world.accounts.violate(
      'stored and denied',
      `${beyond.length} were stored beyond ${most} (${why})`,
      beyond,
      run,
    );
  const stored = storedOf(put);
  if (put.isAtomic && !isExcused(put) && stored > 0 && stored < items.length)
    world.accounts.violate('a part was stored', `${stored} of ${items.length}: ${why}`, items, run);
  const lacking = items.filter(({ index, sightings }) => index < stored && sightings.length === 0);
  if (lacking.length === 0 || put.key !== undefined || isExcused(put)) return;
  const certain = lacking.filter(({ index }) => index < least).length;
  world.accounts.violate(
    'lost',
    `${lacking.length} never came out; ${certain} of them were said to be stored (${why})`,
    lacking,
    run,
  );
}

function isExcused({ queue, isMortal }: Put): boolean {
  return isMortal === true || specOf(queue).isLossy === true;
}

/** A message goes for good once, and does not come again after that. */
function checkItem(world: World, item: Item): void {
  const { sightings, put } = item;
  const { accounts } = world;
  const runsOf = (some: Sighting[]) => some.map(({ run }) => run);
  const finals = sightings.filter(({ fate }) => fate === 'final');
  if (finals.length > 1) {
    accounts.violate('doubled', `it was consumed ${finals.length} times`, [item], runsOf(finals));
    return;
  }
  const [final] = finals;
  const after = final && sightings.filter(({ run }) => run.began > (final.goneBy as number));
  if (after && after.length > 0)
    accounts.violate('doubled', 'it came again after it was gone', [item], runsOf([final, ...after]));
  const isGone = sightings.some(({ fate }) => fate !== 'back');
  if (sightings.length > 0 && !isGone && !put.isMortal)
    accounts.violate('lost', 'it had to come again, and did not', [item], runsOf(sightings));
  const early = sightings.find(({ at }) => put.dueAt !== undefined && at < put.dueAt - ROUNDING);
  if (early) accounts.violate('too early', 'it came before its delay was over', [item], [early.run]);
  checkAttempts(world, item);
  // Only one of the sightings that might have been the last one was.
  const maybes = sightings.filter(({ fate }) => fate === 'maybe');
  for (const { why } of final ? maybes : maybes.slice(0, -1)) accounts.allow(`it comes again after ${why}`);
}

/** A message has no more attempts than its sightings explain. Where leases run out, that counts too, and is not checked. */
function checkAttempts(world: World, item: Item): void {
  if (
    QUEUES.some(
      ({ name, lease }) =>
        name === item.put.queue && lease !== undefined && lease !== Number.POSITIVE_INFINITY,
    )
  )
    return;
  for (const sighting of item.sightings) {
    const { attempt } = sighting;
    if (attempt === undefined) continue;
    const counting = item.sightings.filter(
      (each) => each !== sighting && ['yes', 'maybe'].includes(each.counts ?? 'no'),
    );
    if (attempt > 1 + counting.length)
      world.accounts.violate(
        'attempts',
        `attempt ${attempt}, and ${counting.length} others could count`,
        [item],
        [sighting.run],
      );
  }
}

/** A get acknowledges its messages in order: only the last ones that a killed get wrote come again. */
function checkWords(world: World): void {
  for (const [run, printed] of world.accounts.printed()) {
    let again: Item | undefined;
    for (const { item, sighting } of printed) {
      if (sighting.how !== 'got' || sighting.fate !== 'maybe' || isExcused(item.put)) continue;
      const others = item.sightings.filter((each) => each !== sighting);
      if (others.some((each) => each.run.began > (run.ended as number))) again ??= item;
      else if (again && others.every((each) => (each.run.ended as number) <= run.began))
        world.accounts.violate(
          'order of words',
          'the first came again, and the second, behind it, did not',
          [again, item],
          [run],
        );
    }
  }
}

/** No more is lost than readers left in their pipes. */
function checkLeaks(world: World): void {
  for (const { name } of QUEUES.filter(({ isLossy }) => isLossy)) {
    const lost = world.accounts.puts
      .filter(({ queue }) => queue === name)
      .flatMap((put) =>
        put.items.filter(({ index, sightings }) => index < storedOf(put) && sightings.length === 0),
      );
    const bytes = lost.reduce((sum, item) => sum + item.bytes, 0);
    const most = world.accounts.leaks.get(name) ?? 0;
    if (bytes > most)
      world.accounts.violate(
        'lost',
        `${lost.length} never came out: ${bytes} bytes, and pipes held ${most}`,
        lost,
      );
    if (lost.length > 0) world.accounts.allow('it was in the pipe of a reader that went away', lost.length);
  }
}

function checkCounters(world: World, stats: Stat[], moves: Moves): void {
  const { accounts } = world;
  const total = (key: 'put' | 'done' | 'expired' | 'dead') => stats.reduce((sum, stat) => sum + stat[key], 0);
  const wrong = (what: string, stat?: Stat) =>
    accounts.violate('counters', stat ? `${what}: ${JSON.stringify(stat)}` : what);
  let [stored, unsure] = [0, 0];
  for (const put of accounts.puts) {
    stored += storedOf(put);
    if (isExcused(put)) unsure += Math.max(0, put.most - storedOf(put));
  }
  const gone = total('done') + total('expired');
  if (gone < stored || gone > stored + unsure)
    wrong(
      `done and expired are ${gone} in all; ${stored} messages were stored${unsure ? `, and ${unsure} may be` : ''}`,
    );
  const moved = total('put') - gone - total('dead');
  if (moved < moves.told || (!moves.isUnsure && moved !== moves.told))
    wrong(`${moved} were moved by what queues count, ${moves.told} by what move says`);
  for (const stat of stats) {
    checkStat(world, stat);
    const dead = stats.find(({ name }) => name === `${stat.name}.dead`);
    if ((dead?.put ?? 0) !== stat.dead) wrong(`${dead?.put} came into its dead-letter queue`, stat);
    if (!QUEUES.some((spec) => spec.moves === stat.name)) checkPutCount(world, stat, wrong);
    checkFailed(world, stat, wrong);
  }
}

type Wrong = (what: string, stat: Stat) => void;

function checkPutCount(world: World, stat: Stat, wrong: Wrong): void {
  if (stat.name.endsWith('.dead')) return;
  const puts = world.accounts.puts.filter(({ queue }) => queue === stat.name);
  const least = puts.reduce((sum, put) => sum + storedOf(put), 0);
  const unsure = puts.reduce(
    (sum, put) => sum + (isExcused(put) ? Math.max(0, put.most - storedOf(put)) : 0),
    0,
  );
  if (stat.put < least || stat.put > least + unsure) wrong(`${least} were put`, stat);
}

function checkFailed(world: World, stat: Stat, wrong: Wrong): void {
  const spec = QUEUES.find(({ name }) => name === stat.name);
  if (spec?.lease !== undefined && spec.lease !== Number.POSITIVE_INFINITY) return;
  let [least, maybe] = [0, 0];
  for (const { put, sightings } of world.accounts.items()) {
    if (put.queue !== stat.name) continue;
    for (const { counts } of sightings) {
      if (counts === 'yes') least += 1;
      if (counts === 'maybe') maybe += 1;
    }
  }
  if (stat.failed < least || stat.failed > least + maybe)
    wrong(`${least} to ${least + maybe} failures`, stat);
}
