import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parseDuration } from '../../src/duration.ts';
import { report } from './report.ts';
import { round } from './round.ts';
import { pause } from './status.ts';
import { World } from './world.ts';

/**
 * npm run campaign -- [--seed N] [--duration 30m] [--round 20s] [--without NAME,...] [--keep-going]
 *
 * Producers, consumers and workers of all kinds use queues, while they and the daemon are killed, stopped
 * and interrupted at random. In the end no message is lost, altered or doubled unless mq(1) allows it, and
 * the counters are right. The campaign goes in rounds: each empties its queues and gives a verdict. On a
 * violation it says what happened to the messages, leaves the state folder, and exits 1. The seed decides the
 * actions; their outcome depends on the machine.
 */
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1e6) },
    duration: { type: 'string', default: '1m' },
    round: { type: 'string', default: '20s' },
    without: { type: 'string', default: '' },
    'keep-going': { type: 'boolean', default: false },
  },
});
const end = Date.now() + parseDuration(values.duration);
const length = parseDuration(values.round);
const without = new Set(values.without.split(',').filter(Boolean));
const folder = mkdtempSync(join(tmpdir(), 'mq-campaign-'));
mkdirSync(join(folder, 'home'), { mode: 0o700 });
const world = new World(folder, values.seed, without);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => void cleanUp().finally(() => process.exit(1)));
}

console.log(`seed ${values.seed}, for ${values.duration}, in ${folder}`);
const kinds = new Map<string, number>();
const allowed = new Map<string, number>();
let [rounds, puts, stored] = [0, 0, 0];
let isRight = true;
try {
  while (Date.now() < end && (isRight || values['keep-going'])) {
    await round(world, rounds++, Math.min(length, Math.max(1000, end - Date.now())));
    const { violations, allowed: some } = world.accounts;
    puts += world.accounts.puts.length;
    for (const { sightings } of world.accounts.items()) if (sightings.length > 0) stored += 1;
    for (const { kind } of violations) add(kinds, kind, 1);
    for (const [rule, count] of some) add(allowed, rule, count);
    if (violations.length > 0) {
      isRight = false;
      console.log(`round ${rounds - 1}:\n${report(world)}`);
    }
  }
} catch (error) {
  isRight = false;
  console.log(`the campaign itself failed: ${error instanceof Error ? error.stack : error}`);
} finally {
  await cleanUp();
}
const commands = [...world.commands].sort((a, b) => b[1] - a[1]);
console.log(`commands: ${commands.map(([verb, count]) => `${count} ${verb}`).join(', ')}`);
for (const [rule, count] of [...allowed].sort()) console.log(`allowed, ${count} times: ${rule}`);
for (const [kind, count] of [...kinds].sort()) console.log(`violations, ${count} times: ${kind}`);
if (isRight) rmSync(folder, { recursive: true });
else console.log(`the state folder is left: ${world.home}`);
console.log(
  `${isRight ? 'right' : 'WRONG'}: seed ${values.seed}, ${rounds} rounds, ${commands.reduce((sum, [, count]) => sum + count, 0)} commands, ${puts} puts, ` +
    `${stored} messages, ${world.kills} blows to the daemon, ${world.hits} to its clients`,
);
process.exitCode = isRight ? 0 : 1;

function add(map: Map<string, number>, key: string, count: number): void {
  map.set(key, (map.get(key) ?? 0) + count);
}

/** Ends all processes that were started. */
async function cleanUp(): Promise<void> {
  world.isEnding = true;
  for (let last = false; ; last = true) {
    const left = world.processes();
    if (left.length === 0) return;
    for (const { pid } of left) {
      try {
        // A daemon that stops itself leaves an orderly store behind.
        process.kill(pid, 'SIGCONT');
        process.kill(pid, last ? 'SIGKILL' : 'SIGTERM');
      } catch {
        // The process has ended by itself.
      }
    }
    await pause(last ? 50 : 1000);
  }
}
