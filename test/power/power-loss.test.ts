import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { SqliteStore } from '../../src/store/sqlite/sqlite.ts';
import { newRamFolder } from '../ram.ts';
import { Random, seeds } from '../random.ts';
import { SILENT } from '../store/messages.ts';
import { type Event, ruinOf } from './disk.ts';
import type { Life } from './recorded.ts';
import { readRecording } from './recording.ts';
import { MOST_AT_ONCE, Scenario, type State, stateOf } from './scenario.ts';
import { MADE, Snapshots, STORE } from './snapshots.ts';

/**
 * Power is lost at some point of what a store does, and the disk has what was synced, and of the rest whatever it
 * likes. The store that is opened then has what it had after some step, none before the last one that it called
 * safe: so what was safe is there, once and unaltered, and what was settled does not come back.
 */
const folder = newRamFolder('mq-power-');
afterAll(() => rmSync(folder, { recursive: true }));
const newFolder = () => mkdtempSync(join(folder, 's-'));

/** Leases have run out by then. */
const later = () => Date.now() + 365 * 86400e3;

describe('after a loss of power all that was safe is there', () => {
  test.each(seeds(2, 1))('of a store that is looked at (seed %d)', async (seed) => {
    await checkAll(await lookedAt(seed, false), new Random(seed), 80);
  });

  test.for(seeds(0, 1))('of a process that is recorded (seed %d)', async (seed, { skip }) => {
    const { library, why } = recorder();
    if (why) skip(why);
    await checkAll(recorded(library, seed, false), new Random(seed), 80);
  });

  test.for(seeds(0, 1))('when the log goes into the file (seed %d)', async (seed) => {
    const { library, why } = recorder();
    const events = why ? await lookedAt(seed, true) : recorded(library, seed, true);
    await checkAll(events, new Random(seed), 8);
  });
});

/** Builds recorder.c; `why` says why that cannot be done. */
function recorder(): { library: string; why?: string } {
  const library = join(folder, 'recorder.so');
  const compiler = process.env['CC'] ?? 'cc';
  const source = resolve('test/power/recorder.c');
  const { status, error, stderr } = spawnSync(compiler, ['-shared', '-fPIC', '-o', library, source, '-ldl']);
  return status === 0 ? { library } : { library, why: `no C compiler: ${error ?? stderr}` };
}

async function lookedAt(seed: number, isMuch: boolean): Promise<Event[]> {
  const random = new Random(seed);
  const turns = new Random(seed + 1);
  const snapshots = new Snapshots(newFolder());
  const killed: SqliteStore[] = [];
  let steps = 0;
  let state: State = {};
  for (let life = 0; life < 4; life++) {
    let isOver = false;
    const store = new SqliteStore(snapshots.path, SILENT, Date.now, async () => {
      if (isOver) return;
      snapshots.take();
      const synced = snapshots.sync('store-wal');
      for (let i = turns.below(4); i > 0; i--) await new Promise((done) => setImmediate(done));
      if (!isOver) synced();
    });
    snapshots.take();
    const observer = {
      committed: (now: State) => {
        snapshots.take();
        snapshots.mark(`committed ${JSON.stringify(now)}`);
      },
      safe: (count: number) => isOver || snapshots.mark(`safe ${count}`),
    };
    const scenario = new Scenario(store, random, observer, state, steps);
    if (life === 0) await scenario.begin();
    await scenario.play(10);
    if (isMuch && life === 1) {
      await scenario.putMuch();
      await scenario.play(5);
    }
    ({ steps, state } = scenario);
    if (random.below(2) === 0) await store.end();
    else killed.push(store);
    isOver = true;
    snapshots.take();
    if (killed.includes(store)) snapshots.goOnIn(newFolder());
  }
  for (const store of killed) await store.end();
  return snapshots.events;
}

function recorded(library: string, seed: number, isMuch: boolean): Event[] {
  const random = new Random(seed);
  const place = newFolder();
  const log = join(newFolder(), 'log');
  let events: Event[] = [];
  for (let life = 0; life < 3; life++) {
    const states = statesIn(events);
    const request: Life = {
      folder: place,
      seed: seed + life,
      steps: states.length - 1,
      state: states.at(-1) as State,
      isKilled: random.below(2) === 0,
      isMuch: isMuch && life === 1,
    };
    const { status, signal, stderr } = spawnSync(
      process.execPath,
      [resolve('test/power/recorded.ts'), JSON.stringify(request)],
      {
        env: { ...process.env, LD_PRELOAD: library, RECORD_FOLDER: place, RECORD_LOG: log },
        encoding: 'utf8',
      },
    );
    expect(stderr).toBe('');
    expect(request.isKilled ? signal : status).toBe(request.isKilled ? 'SIGKILL' : 0);
    events = readRecording(log);
  }
  return events;
}

async function checkAll(events: Event[], random: Random, count: number): Promise<void> {
  const states = statesIn(events);
  expect(states.length).toBeGreaterThan(20);
  const safe = [...events.keys()].filter((i) => wordsOf(events[i] as Event)[0] === 'safe');
  expect(safe.length).toBeGreaterThan(10);
  const made = events.findIndex((event) => wordsOf(event)[0] === MADE) + 1;
  for (let i = 0; i < count; i++) {
    // Often right behind what was said to be safe.
    const at =
      random.below(2) === 0
        ? random.of(safe) + 1 + random.below(3)
        : made + random.below(events.length - made);
    const before = events.slice(0, at);
    const words = before.map(wordsOf);
    const committed = words.filter(([word]) => word === 'committed').length;
    const acked = Math.max(
      0,
      ...words.filter(([word]) => word === 'safe').map(([, number]) => Number(number)),
    );
    // Commits that were not told may be there too.
    const possible = states.slice(acked, committed + MOST_AT_ONCE + 1).map(textOf);
    expect(possible, `behind event ${at}, with ${acked} of ${committed} steps safe`).toContain(
      textOf(await stateAfter(ruinOf(before, random))),
    );
  }
}

/** The contents of a store that is opened on these files. */
async function stateAfter(ruin: Map<string, Buffer>): Promise<State> {
  const place = newFolder();
  for (const [name, bytes] of ruin) writeFileSync(join(place, name), bytes);
  const store = new SqliteStore(join(place, STORE), SILENT, later, async () => {});
  const state = await stateOf(store);
  await store.end();
  rmSync(place, { recursive: true });
  return state;
}

/** The contents of the queues before the first step, and after each. */
function statesIn(events: Event[]): State[] {
  const committed = events.map(wordsOf).filter(([word]) => word === 'committed');
  return [{}, ...committed.map(([, state]) => JSON.parse(state as string) as State)];
}

function wordsOf(event: Event): string[] {
  return event.what === 'mark' ? event.mark.split(' ') : [];
}

function textOf(state: State): string {
  return JSON.stringify(Object.entries(state).sort(([a], [b]) => (a < b ? -1 : 1)));
}
