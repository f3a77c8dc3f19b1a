import { missing, QUICK, type Row, sh } from './measure.ts';

/** Several puts and gets at once, beside one of each; and lines of 1 KB, beside the kernel's pipe and a disk. */
export function load(): Row[] {
  const n = QUICK ? 200_000 : 1_000_000;
  const lines = QUICK ? 20_000 : 100_000;
  const rounds = QUICK ? 2 : 5;
  return [
    {
      name: 'four-and-four',
      what: `${n} lines by 4 puts and 4 gets at once`,
      peer: 'mq put and mq get, one of each',
      unit: 'M/s',
      rounds,
      least: 0.7,
      prepare: async () => {
        await sh(`seq -f 'message %11.0f' ${n} >lines; seq -f 'message %11.0f' ${n / 4} >quarter`);
      },
      mq: () => throughput(n, [1, 2, 3, 4], 'quarter'),
      other: () => throughput(n, [1], 'lines'),
    },
    {
      name: 'kilobytes',
      what: `put and get ${lines} lines of 1 KB at once`,
      peer: 'cat >fifo, cat <fifo >copy, sync copy',
      unit: 'M/s',
      rounds,
      skip: missing('mkfifo'),
      least: 0.3,
      prepare: async () => {
        await sh(`rm -f fifo; mkfifo fifo; seq -f '%01023.0f' ${lines} >long`);
      },
      mq: async () =>
        lines /
        1e6 /
        (await sh(`"$mq" put k <long & put=$!; "$mq" get -c ${lines} k >copy; wait $put; cmp copy long`)),
      other: async () => lines / 1e6 / (await sh('cat long >fifo & cat <fifo >copy; wait; sync copy')),
    },
  ];
}

/** Millions of lines a second; each put takes its share of the lines, and the gets take them all. */
async function throughput(n: number, each: number[], input: string): Promise<number> {
  await sh('"$mq" rm --force a 2>/dev/null || :; "$mq" create a');
  const gets = each.map((i) => `"$mq" get -f a >got${i} & gets="$gets $!"`).join('\n');
  const puts = each.map(() => `"$mq" put a <${input} & puts="$puts $!"`).join('\n');
  const seconds = await sh(
    `gets=; puts=\n${gets}\n${puts}\nfor p in $puts; do wait $p; done; "$mq" close a; for p in $gets; do wait $p; done`,
  );
  await sh(`test "$(cat ${each.map((i) => `got${i}`).join(' ')} | wc -l)" = ${n}`);
  return n / 1e6 / seconds;
}
