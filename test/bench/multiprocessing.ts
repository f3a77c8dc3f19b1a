import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { call, folder, missing, QUICK, type Row, sh } from './measure.ts';

const PROGRAM = `
import multiprocessing, sys, time

def put(queue, n):
    for i in range(n):
        queue.put('message %11d' % i)

if __name__ == '__main__':
    n = int(sys.argv[1])
    queue = multiprocessing.Queue()
    process = multiprocessing.Process(target=put, args=(queue, n))
    begun = time.perf_counter()
    process.start()
    for i in range(n):
        queue.get()
    print(time.perf_counter() - begun, file=open(sys.argv[2], 'w'))
    process.join()
`;

/** Two processes, one puts and one gets: mq with its disk, Python's queue in memory. */
export function multiprocessing(): Row[] {
  const n = QUICK ? 200_000 : 1_000_000;
  const fewer = QUICK ? 50_000 : 200_000;
  return [
    {
      name: 'through',
      what: `put and get ${n} lines at once`,
      peer: `multiprocessing.Queue (${fewer})`,
      unit: 'M/s',
      rounds: QUICK ? 3 : 5,
      skip: missing('python3'),
      least: 10,
      prepare: async () => {
        writeFileSync(join(folder, 'peer.py'), PROGRAM);
        await sh(`seq -f 'message %11.0f' ${n} >lines`);
      },
      mq: async () =>
        n /
        1e6 /
        (await sh(`"$mq" put t <lines & put=$!; "$mq" get -c ${n} t >got; wait $put; cmp got lines`)),
      other: async () => fewer / 1e3 / (await call('python3', 'peer.py', String(fewer), 'seconds')),
    },
  ];
}
