import { beanstalkd } from './beanstalkd.ts';
import { fifo } from './fifo.ts';
import { front } from './front.ts';
import { latency } from './latency.ts';
import { load } from './load.ts';
import { cleanUp, median, type Row } from './measure.ts';
import { memory } from './memory.ts';
import { multiprocessing } from './multiprocessing.ts';
import { pipe } from './pipe.ts';
import { redis } from './redis.ts';
import { stalls } from './stalls.ts';
import { startup } from './startup.ts';
import { work } from './work.ts';

/**
 * npm run bench [-- --quick] [-- --only NAME]: mq beside its peers on this machine. Measurements of one
 * row take turns, so that load hits both alike; medians are shown. Status 1: a target is missed.
 */
const only = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1] : undefined;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    cleanUp();
    process.exit(130);
  });
}

const rows = [
  redis,
  multiprocessing,
  beanstalkd,
  fifo,
  front,
  startup,
  latency,
  load,
  memory,
  work,
  pipe,
  stalls,
]
  .flatMap((group) => group())
  .filter(({ name }) => only === undefined || name.startsWith(only));
let below = rows.length === 0;
try {
  print(['name', 'what', 'mq', 'peer', '', 'ratio', 'target', 'ok']);
  for (const row of rows) await measure(row);
} finally {
  cleanUp();
}
process.exitCode = below ? 1 : 0;

async function measure(row: Row): Promise<void> {
  const { name, what, peer, unit, rounds, skip, least, most } = row;
  if (skip !== undefined) return print([name, what, '', '', peer, '', '', skip]);
  await row.prepare?.();
  const [mq, other]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    mq.push(await row.mq());
    if (row.other) other.push(await row.other());
  }
  const ratio = row.other ? median(mq) / median(other) : undefined;
  const figure = ratio ?? median(mq);
  const isBelow = figure < (least ?? 0) || figure > (most ?? Number.POSITIVE_INFINITY);
  below ||= isBelow;
  print([
    name,
    what,
    shown(median(mq), unit),
    row.other ? shown(median(other), unit) : '',
    peer,
    ratio?.toFixed(2) ?? '',
    least !== undefined ? `>= ${least}` : most !== undefined ? `<= ${most}` : '',
    least === undefined && most === undefined ? '' : isBelow ? 'NO' : 'ok',
  ]);
}

function shown(value: number, unit: Row['unit']): string {
  return `${value.toFixed(unit === 'MB' ? 0 : value < 10 ? 3 : 1)} ${unit}`;
}

function print(cells: string[]): void {
  const widths = [24, 46, 11, 11, 36, 6, 8, 0];
  const numbers = [2, 3, 5];
  const padded = cells.map((cell, i) =>
    numbers.includes(i) ? cell.padStart(widths[i] as number) : cell.padEnd(widths[i] as number),
  );
  console.log(padded.join('  ').trimEnd());
}
