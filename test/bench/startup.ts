import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BIN, call, folder, missing, NODE, QUICK, type Row, STANDALONE, start, until } from './measure.ts';

/** The time of one call, as in a script, with a daemon that runs already. */
export function startup(): Row[] {
  const empty = join(folder, 'empty.js');
  const socket = join(folder, 'startup.sock');
  const rounds = QUICK ? 20 : 60;
  const prepare = async () => {
    writeFileSync(empty, '');
    await call(BIN, 'put', 's', 'x');
  };
  const bare = {
    peer: 'node empty.js',
    unit: 'ms',
    rounds,
    prepare,
    other: () => call(NODE, empty),
  } as const;
  return [
    { ...bare, name: 'start', what: 'bin/mq put q x', most: 1.2, mq: () => call(BIN, 'put', 's', 'x') },
    {
      ...bare,
      name: 'start-alone',
      what: 'dist/mq put q x',
      most: 1.2,
      skip: existsSync(STANDALONE) ? undefined : 'not built: npm run build',
      mq: () => call(STANDALONE, 'put', 's', 'x'),
    },
    {
      name: 'start-redis',
      what: 'bin/mq put q x',
      peer: 'redis-cli RPUSH q x',
      unit: 'ms',
      rounds,
      skip: missing('redis-server', 'redis-cli'),
      prepare: async () => {
        await prepare();
        start('redis-server', ['--port', '0', '--unixsocket', socket, '--dir', folder, '--save', '']);
        await until(() => existsSync(socket));
      },
      mq: () => call(BIN, 'put', 's', 'x'),
      other: () => call('redis-cli', '-s', socket, 'RPUSH', 'q', 'x'),
    },
  ];
}
