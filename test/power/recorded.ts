import { openSync, writeSync } from 'node:fs';
import { SqliteStore } from '../../src/store/sqlite/sqlite.ts';
import { Random } from '../random.ts';
import { SILENT } from '../store/messages.ts';
import { MARKS } from './recording.ts';
import { Scenario, type State } from './scenario.ts';
import { STORE } from './snapshots.ts';

/** One life of a store, in a process of its own, which is recorded: see `power-loss.test.ts`. */
export interface Life {
  folder: string;
  seed: number;
  /** How many steps went before. */
  steps: number;
  state: State;
  isKilled: boolean;
  isMuch: boolean;
}

const life = JSON.parse(process.argv[2] as string) as Life;
const marks = openSync(`${life.folder}/${MARKS}`, 'a');
const observer = {
  committed: (state: State) => writeSync(marks, `committed ${JSON.stringify(state)}\n`),
  safe: (steps: number) => writeSync(marks, `safe ${steps}\n`),
};
const store = new SqliteStore(`${life.folder}/${STORE}`, SILENT, Date.now);
const scenario = new Scenario(store, new Random(life.seed), observer, life.state, life.steps);
if (life.steps === 0) await scenario.begin();
await scenario.play(10);
if (life.isMuch) {
  await scenario.putMuch();
  await scenario.play(5);
}
if (life.isKilled) process.kill(process.pid, 'SIGKILL');
else await store.end();
