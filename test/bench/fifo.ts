import { missing, QUICK, type Row, sh } from './measure.ts';

/** The kernel's own pipe, without a disk: nothing is faster. */
export function fifo(): Row[] {
  const n = QUICK ? 200_000 : 1_000_000;
  const mq = async () =>
    n / 1e6 / (await sh(`"$mq" put f <lines & put=$!; "$mq" get -c ${n} f >/dev/null; wait $put`));
  const rounds = QUICK ? 3 : 5;
  const what = `put and get ${n} lines at once`;
  return [
    {
      name: 'fifo-bytes',
      what,
      peer: 'cat >fifo and cat <fifo',
      unit: 'M/s',
      rounds,
      skip: missing('mkfifo'),
      prepare: async () => {
        await sh(`rm -f fifo; mkfifo fifo; seq -f 'message %11.0f' ${n} >lines`);
      },
      mq,
      other: async () => n / 1e6 / (await sh('cat lines >fifo & cat <fifo >/dev/null; wait')),
    },
    {
      name: 'fifo-lines',
      what,
      peer: 'cat >fifo and awk <fifo, line by line',
      unit: 'M/s',
      rounds,
      skip: missing('mkfifo', 'awk'),
      mq,
      other: async () => n / 1e6 / (await sh("cat lines >fifo & awk '{ n++ }' <fifo; wait")),
    },
  ];
}
