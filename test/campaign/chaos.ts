import { connect } from 'node:net';
import { join } from 'node:path';
import type { Random } from './random.ts';
import type { Run } from './run.ts';
import { pause } from './status.ts';
import { type DaemonEvent, HANG, type World, within } from './world.ts';

/** Mean time from one blow to the next, in ms. */
const EVERY = 350;

/** A version later than any: see HELLO of mq-protocol(7). */
const NEWER = '999.0.0';

type Blow = (world: World, random: Random) => Promise<void>;

const BLOWS: Record<string, [weight: number, blow: Blow]> = {
  kill: [4, (world) => killDaemon(world)],
  stopped: [2, holdDaemon],
  sigterm: [1, (world) => signalDaemon(world, 'SIGTERM')],
  mqstop: [1, stopDaemon],
  replace: [1, (world) => replaceDaemon(world)],
  client: [12, hitClient],
  both: [3, hitBoth],
};

/** Strikes the daemon and its clients until the round ends. */
export async function chaos(world: World, random: Random): Promise<void> {
  const blows = Object.entries(BLOWS)
    .filter(([name]) => world.has(name))
    .map(([, [weight, blow]]) => [weight, blow] as const);
  while (!world.isEnding && blows.length > 0) {
    await pause(-Math.log(1 - random.next()) * EVERY);
    await random.weighted(blows)(world, random);
  }
}

/** Sends a signal to all daemons, also to one that is about to start. */
function strike(world: World, signal: NodeJS.Signals): number[] {
  const pids = world.daemons();
  for (const pid of pids) send(pid, signal);
  world.kills += pids.length;
  return pids;
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function killDaemon(world: World): Promise<void> {
  const at = Date.now();
  if (strike(world, 'SIGKILL').length > 0)
    world.daemonEvents.push({ what: 'SIGKILL', at, until: Date.now() });
}

/** Stops the daemon for a while; now and then it is killed before it goes on. */
async function holdDaemon(world: World, random: Random): Promise<void> {
  const event = begin(world, 'SIGSTOP');
  const pids = strike(world, 'SIGSTOP');
  const [first] = [...world.live].filter(mayBeHit);
  await pause(random.scale(20, 2500));
  if (first && random.chance(0.3)) hit(world, first, random);
  if (random.chance(0.4)) await killDaemon(world);
  for (const pid of pids) send(pid, 'SIGCONT');
  event.until = Date.now();
}

async function signalDaemon(world: World, what: 'SIGTERM'): Promise<void> {
  const event = begin(world, what);
  const pids = strike(world, what);
  await untilGone(world, pids);
  event.until = Date.now();
}

async function stopDaemon(world: World, random: Random): Promise<void> {
  const event = begin(world, 'stop');
  const { run } = await world.ask('stop');
  event.until = Date.now();
  if (run.status !== 0) world.accounts.violate('status of stop', `it ended with ${run.end}`, [], [run]);
  await pause(random.scale(1, 300));
}

/** Replaces the daemon as a newer client does. */
async function replaceDaemon(world: World): Promise<void> {
  const event = begin(world, 'replaced');
  const answers = await new Promise<string>((resolve) => {
    const socket = connect(join(world.home, 'mq.sock'));
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', () => resolve(text));
    socket.on('close', () => resolve(text));
    socket.write(request('HELLO', '3') + request('HELLO', '3', 'MQ', '5', NEWER, 'REPLACE'));
  });
  // A daemon that another blow hit meanwhile has not read the request, nor has its successor.
  const [, pid] = /pid\r\n:(\d+)/.exec(answers) ?? [];
  if (pid !== undefined && answers.includes('OUTDATED')) await untilGone(world, [Number(pid)]);
  event.until = Date.now();
}

function request(...words: string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
}

async function untilGone(world: World, pids: number[]): Promise<void> {
  const gone = (async () => {
    while (world.daemons().some((pid) => pids.includes(pid))) await pause(10);
  })();
  if (!(await within(HANG, gone))) world.accounts.violate('hang', `daemon ${pids.join(', ')} does not end`);
}

function begin(world: World, what: DaemonEvent['what']): DaemonEvent {
  const event = { what, at: Date.now(), until: Number.POSITIVE_INFINITY };
  world.daemonEvents.push(event);
  return event;
}

async function hitClient(world: World, random: Random): Promise<void> {
  const runs = [...world.live].filter(mayBeHit);
  if (runs.length === 0) return;
  const run = random.pick(runs);
  if (random.chance(0.2)) await holdClient(world, run, random);
  else hit(world, run, random);
}

/** Hits the daemon and a client at about the same time. */
async function hitBoth(world: World, random: Random): Promise<void> {
  const runs = [...world.live].filter(mayBeHit);
  const order = [
    () => void killDaemon(world),
    () => runs.length > 0 && hit(world, random.pick(runs), random),
  ];
  if (random.chance(0.5)) order.reverse();
  for (const blow of order) {
    blow();
    await pause(random.pick([0, 0, 1, 10, 50, 200]));
  }
}

function mayBeHit({ role }: Run): boolean {
  return role !== 'untouched';
}

function hit(world: World, run: Run, random: Random): void {
  world.hits += 1;
  const signal = random.weighted([
    [5, 'SIGKILL'],
    [3, 'SIGTERM'],
    [2, 'SIGINT'],
    [1, 'SIGHUP'],
  ] as const);
  if (signal === 'SIGKILL' || run.interrupts.length === 0 || random.chance(0.3)) run.send(signal);
}

async function holdClient(world: World, run: Run, random: Random): Promise<void> {
  run.send('SIGSTOP');
  await pause(random.scale(20, 1500));
  if (random.chance(0.2)) hit(world, run, random);
  run.send('SIGCONT');
}
