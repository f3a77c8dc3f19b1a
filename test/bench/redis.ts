import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { folder, missing, QUICK, type Row, sh, start, until } from './measure.ts';

/** A million lines of 19 or 20 bytes: redis-cli --pipe with the durability that mq has (AOF), and LPOP. */
export function redis(): Row[] {
  const n = QUICK ? 200_000 : 1_000_000;
  const socket = join(folder, 'redis.sock');
  const skip = missing('redis-server', 'redis-cli');
  const rounds = QUICK ? 3 : 5;
  let prepared: Promise<void> | undefined;
  const prepare = () => (prepared ??= writeAndStart(n, socket));
  return [
    {
      name: 'put',
      what: `put ${n} lines from a file`,
      peer: 'redis-cli --pipe RPUSH, AOF everysec',
      unit: 'M/s',
      rounds,
      skip,
      least: 1.5,
      prepare,
      mq: async () => {
        await sh('"$mq" stop; rm -f home/mq.db*; "$mq" size warm >/dev/null 2>&1 || :');
        return n / 1e6 / (await sh('"$mq" put q <lines'));
      },
      other: async () => {
        await sh('redis-cli -s redis.sock DEL q >/dev/null');
        return n / 1e6 / (await sh('redis-cli -s redis.sock --pipe <puts >/dev/null'));
      },
    },
    {
      name: 'get',
      what: `get ${n} lines into a file`,
      peer: 'redis-cli LPOP q 1000, AOF everysec',
      unit: 'M/s',
      rounds,
      skip,
      least: 1,
      prepare,
      mq: async () => {
        await sh('"$mq" create q; "$mq" purge -q q; "$mq" put q <lines');
        const seconds = await sh(`"$mq" get -c ${n} q >got`);
        await sh('cmp got lines');
        return n / 1e6 / seconds;
      },
      other: async () => {
        await sh('redis-cli -s redis.sock DEL q >/dev/null; redis-cli -s redis.sock --pipe <puts >/dev/null');
        return n / 1e6 / (await sh('redis-cli -s redis.sock <gets >got'));
      },
    },
  ];
}

/** The files that the rows read, and a server. */
async function writeAndStart(n: number, socket: string): Promise<void> {
  const lines = Array.from({ length: n }, (_, i) => `message ${String(i).padStart(11)}`);
  writeFileSync(join(folder, 'lines'), `${lines.join('\n')}\n`);
  const puts = lines.map((line) => `*3\r\n$5\r\nRPUSH\r\n$1\r\nq\r\n$${line.length}\r\n${line}\r\n`);
  writeFileSync(join(folder, 'puts'), puts.join(''));
  writeFileSync(join(folder, 'gets'), 'LPOP q 1000\n'.repeat(n / 1000));
  const options = ['--port', '0', '--unixsocket', socket, '--dir', folder, '--save', ''];
  start('redis-server', [...options, '--appendonly', 'yes', '--appendfsync', 'everysec']);
  await until(() => existsSync(socket));
}
