import type { Item, Sighting, Violation } from './accounts.ts';
import { type Run, timeOf } from './run.ts';
import type { World } from './world.ts';

/** Violations of a kind that are shown in full, and messages of each. */
const SHOWN = 3;

/** Describes the violations of a round: each kind, with messages and what happened to them. */
export function report(world: World): string {
  const { violations } = world.accounts;
  const kinds = [...new Set(violations.map(({ kind }) => kind))];
  return kinds
    .flatMap((kind) => {
      const some = violations.filter((each) => each.kind === kind);
      const more = some.length > SHOWN ? [`... and ${some.length - SHOWN} more of '${kind}'`] : [];
      return [...some.slice(0, SHOWN).map((each) => describe(world, each)), ...more];
    })
    .join('\n');
}

function describe(world: World, { kind, what, items, runs }: Violation): string {
  const lines = [`VIOLATION: ${kind}: ${what}`];
  for (const item of items.slice(0, SHOWN)) lines.push(...describeItem(item));
  if (items.length > SHOWN)
    lines.push(`  ... and ${items.length - SHOWN} more messages, to ${items.at(-1)?.name}`);
  const involved = new Set<Run>(runs);
  for (const { put, sightings } of items.slice(0, SHOWN)) {
    if (put.run) involved.add(put.run);
    for (const { run } of sightings) involved.add(run);
  }
  const events = [...involved].flatMap((run) => run.describe());
  const times = [...involved].flatMap(({ began, ended }) => [began, ended ?? began]);
  events.push(...world.describeDaemon(Math.min(...times), Math.max(...times)));
  lines.push(...events.sort().map((line) => `  ${line}`));
  return lines.join('\n');
}

function describeItem({ name, put, index, bytes, sightings }: Item): string[] {
  const of = put.run ? `of #${put.run.id}` : put.why;
  return [
    `  message ${name}: number ${index + 1} ${of}, ${bytes} bytes, into ${put.queue}; ${put.least} to ${put.most} stored: ${put.why}`,
    ...sightings.map(describeSighting),
  ];
}

function describeSighting({ how, run, at, fate, why, lease, attempt, goneBy }: Sighting): string {
  const details = [
    lease && `lease ${lease}`,
    attempt && `attempt ${attempt}`,
    goneBy && `gone by ${timeOf(goneBy)}`,
  ];
  return `    ${timeOf(at)} ${how} by #${run.id}: ${fate} (${why}) ${details.filter(Boolean).join(', ')}`;
}
