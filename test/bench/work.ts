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

/** Sets $args to 500 KB of arguments, and as much of the environment, in pieces that execve(2) takes. */
const LARGE = `
piece=$(head -c 100000 /dev/zero | tr '\\0' a)
for i in 1 2 3 4 5; do export "LARGE$i=$piece"; args="$args $piece"; done`;

/** The cost of a command for each message. */
export function work(): Row[] {
  const count = QUICK ? 1000 : 5000;
  const rounds = QUICK ? 2 : 5;
  const input = join(folder, 'work.in');
  const loop = join(folder, 'work.cjs');
  const prepare = async () => {
    writeFileSync(input, Array.from({ length: count }, (_, i) => `${i + 1}\n`).join(''));
    writeFileSync(loop, LOOP);
  };
  const row = (name: string, rest: string, setUp = '') => ({
    name,
    what: `work -j 8 ${rest}, ${count} messages`,
    unit: 'ms' as const,
    rounds,
    prepare,
    mq: async () => {
      await sh(`$mq put w < ${input}`);
      const time = await sh(`${setUp}\n$mq work w -j 8 --drain ${rest}`);
      await sh('$mq rm --force out 2>/dev/null || :');
      return time * 1000;
    },
  });
  const xargs = (rest: string, setUp = '') => ({
    peer: `xargs -P 8 ${rest}`,
    skip: missing('xargs'),
    other: async () => (await sh(`${setUp}\nxargs -P 8 ${rest} < ${input} > /dev/null`)) * 1000,
  });
  return [
    { ...row('work', '-- true'), ...xargs('-n 1 true'), most: 1 },
    { ...row('work-argument', '-- true {}'), ...xargs('-I {} true {}'), most: 1.2 },
    { ...row('work-into', '--into out -- echo {}'), ...xargs('-n 1 echo'), most: 1.5 },
    { ...row('work-large', '-- true $args', LARGE), ...xargs('-s 1000000 -n 1 true $args', LARGE), most: 1 },
    {
      ...row('work-spawn', '-- true'),
      peer: 'a loop of spawn',
      other: async () => (await sh(`${NODE} ${loop} ${count}`)) * 1000,
      most: 1,
    },
  ];
}
