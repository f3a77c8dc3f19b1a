import { readFileSync } from 'node:fs';
import { BIN, output, QUICK, type Row, sh } from './measure.ts';

/** The daemon's memory does not grow with what waits in its queues. */
export function memory(): Row[] {
  const n = QUICK ? 1_000_000 : 5_000_000;
  return [
    {
      name: 'memory',
      what: `daemon (RSS) with ${n} messages waiting`,
      peer: '',
      unit: 'MB',
      rounds: 1,
      most: 200,
      prepare: async () => {
        await sh(`"$mq" stop; rm -f home/mq.db*; seq -f 'message %11.0f' ${n} | "$mq" put m`);
      },
      mq: async () => {
        const { pid } = JSON.parse(output(BIN, 'status', '--json'));
        const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
        return Number(kilobytes) / 1024;
      },
    },
  ];
}
