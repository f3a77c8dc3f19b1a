import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Accounts } from './accounts.ts';
import { chaos } from './chaos.ts';
import { check } from './check.ts';
import { consume } from './consumers.ts';
import { Keys } from './keys.ts';
import { Leases } from './leases.ts';
import { audit, closeAndOpen, Moves, type Stat } from './others.ts';
import { printed, record } from './printed.ts';
import { produce } from './producers.ts';
import { QUEUES } from './queues.ts';
import type { Random } from './random.ts';
import { pause } from './status.ts';
import { Workers } from './workers.ts';
import { HANG, type World } from './world.ts';

/** An action that an actor repeats until the round ends. */
type Act = (random: Random) => Promise<void>;

/** Runs one round: makes queues, uses them while daemon and commands are struck, empties them, and checks the accounts. */
export async function round(world: World, number: number, duration: number): Promise<void> {
  const random = world.random.fork(`round ${number}`);
  Object.assign(world, {
    accounts: new Accounts(),
    daemonEvents: [],
    closings: [],
    runs: [],
    isEnding: false,
  });
  const keys = new Keys((await world.ask('put', '--help')).out);
  const [leases, workers, moves] = [new Leases(), new Workers(world), new Moves()];
  await makeQueues(world);
  const actors: [name: string, count: number, act: Act][] = [
    ['produce', 3, (own) => produce(world, own)],
    ['keys', 1, (own) => keys.put(world, own)],
    ['consume', 3, (own) => consume(world, own)],
    ['lease', 1, (own) => leases.take(world, own)],
    ['work', 2, (own) => workers.work(world, own)],
    ['move', 1, (own) => moves.move(world, own)],
    ['close', 1, (own) => closeAndOpen(world, own)],
    ['audit', 1, () => audit(world)],
  ];
  const acting = actors
    .filter(([name]) => world.has(name))
    .flatMap(([name, count, act]) =>
      Array.from({ length: count }, (_, i) =>
        repeat(world, random.fork(`${name} ${i}`), REST[name] ?? 200, act),
      ),
    );
  const striking = chaos(world, random.fork('chaos'));
  await Promise.race([delay(duration), ...acting, striking]);
  world.isEnding = true;
  await Promise.all([striking.then(() => makeRoom(world)), ...acting]);
  await leases.end(world);
  await orphansEnd(world);
  const { stats, areStuck } = await empty(world);
  workers.collect(world);
  check(world, areStuck ? undefined : { stats, moves });
  for (const { name } of stats) await expectOk(world, 'rm', ...(areStuck ? ['--force'] : []), name);
}

/** Longest rest between two acts of one actor, in ms. */
const REST: Record<string, number> = { move: 1000, close: 4000, audit: 2000, keys: 300 };

async function repeat(world: World, random: Random, rest: number, act: Act): Promise<void> {
  while (!world.isEnding) {
    await pause(random.scale(1, rest));
    if (!world.isEnding) await act(random);
  }
}

async function makeQueues(world: World): Promise<void> {
  for (const { name, create } of QUEUES) if (create) await expectOk(world, 'create', name, ...create);
}

async function expectOk(world: World, ...args: string[]): Promise<void> {
  const { run } = await world.ask(...args);
  if (run.status !== 0) world.accounts.violate(`status ${run.end}`, 'nothing is under way', [], [run]);
}

/** Makes room for the outputs of workers that are told to end: they wait for it. */
async function makeRoom(world: World): Promise<void> {
  const places = QUEUES.flatMap(({ into }) => into ?? []);
  while ([...world.live].some(({ role }) => role === 'worker')) {
    for (const name of places) await takeAll(world, name);
    await pause(100);
  }
}

/** Waits for commands of workers that were killed: they run on. */
async function orphansEnd(world: World): Promise<void> {
  const deadline = Date.now() + HANG;
  for (;;) {
    const left = world.processes().filter(({ isDaemon }) => !isDaemon);
    if (left.length === 0) return;
    if (Date.now() > deadline)
      throw new Error(`left behind: ${left.map(({ command }) => command).join('; ')}`);
    await pause(50);
  }
}

/** Takes all messages, also those that come later; returns the counters at the end. */
async function empty(world: World): Promise<{ stats: Stat[]; areStuck: boolean }> {
  let deadline = Date.now() + HANG;
  for (;;) {
    const { run, out } = await world.ask('ls', '--json');
    if (run.status !== 0) throw new Error(`mq ls ends with ${run.end}: ${run.errors}`);
    const stats = out.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Stat]));
    const full = stats.filter(({ waiting }) => waiting > 0);
    for (const { name } of full) await takeAll(world, name);
    if (full.length > 0) deadline = Date.now() + HANG;
    const busy = stats.filter(({ waiting, delayed, leased }) => waiting + delayed + leased > 0);
    if (busy.length === 0) return { stats, areStuck: false };
    if (Date.now() > deadline) {
      for (const stat of busy) saysStuck(world, stat);
      return { stats, areStuck: true };
    }
    await pause(100);
  }
}

/** Reports the runs that had messages of the queue last, and the holders that the daemon has on record. */
function saysStuck(world: World, { name, delayed, leased }: Stat): void {
  const takers = world.runs.filter(
    ({ role, args }) => ['worker', 'leaser'].includes(role) && args.includes(name),
  );
  const ledger = readFileSync(join(world.home, 'mq.held'), 'utf8').trimEnd();
  world.accounts.violate(
    'stuck',
    `in ${name} ${delayed} are delayed and ${leased} on lease, and they do not come back; mq.held: ${ledger}`,
    [],
    takers.slice(-10),
  );
}

async function takeAll(world: World, name: string): Promise<void> {
  const run = world.start('untouched', ['get', '--json', '-a', name], { stdout: 'pipe' });
  const chunks: Buffer[] = [];
  run.child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
  const end = new Promise((resolve) => run.child.stdout?.on('end', resolve));
  await world.end(run);
  await end;
  // 3: the messages may have expired meanwhile.
  if (run.status !== 0 && run.status !== 3)
    world.accounts.violate(`status ${run.end}`, 'nothing is under way', [], [run]);
  const output = printed(Buffer.concat(chunks), 'json', false);
  record(world, run, { ...output, isPipe: false }, () => ({
    how: 'got',
    fate: 'final',
    why: 'the end of the round',
    goneBy: run.ended as number,
  }));
}
