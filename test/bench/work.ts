import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { folder, missing, NODE, QUICK, type Row, sh } from './measure.ts';

/** A script that runs eight commands at a time, as `mq work -j 8` and `xargs -P 8` do. */
const LOOP = `
const { spawn } = require('node:child_process');
let [left, running] = [Number(process.argv[2]), 0];
(function start() {
  for (; running < 8 && left > 0; left--, running++)
    spawn('true', { stdio: 'inherit' }).on('exit', () => { running--; start(); });
})();
`;

/** The cost of a command for each message. */
export function work(): Row[] {
  const count = QUICK ? 1000 : 5000;
  const rounds = QUICK ? 2 : 5;
  const input = join(folder, 'work.in');
  const loop = join(folder, 'work.cjs');
  const mq = async () => {
    await sh(`$mq put w < ${input}`);
    return (await sh('$mq work w -j 8 --drain -- true')) * 1000;
  };
  const prepare = async () => {
    writeFileSync(input, Array.from({ length: count }, (_, i) => `${i + 1}\n`).join(''));
    writeFileSync(loop, LOOP);
  };
  const row = { what: `work -j 8 -- true, ${count} messages`, unit: 'ms', rounds, prepare, mq } as const;
  return [
    {
      ...row,
      name: 'work',
      peer: 'xargs -P 8 -n 1 true',
      skip: missing('xargs'),
      other: async () => (await sh(`xargs -P 8 -n 1 true < ${input}`)) * 1000,
      most: 3,
    },
    {
      ...row,
      name: 'work-spawn',
      peer: 'a loop of spawn',
      other: async () => (await sh(`${NODE} ${loop} ${count}`)) * 1000,
      most: 1.15,
    },
  ];
}
