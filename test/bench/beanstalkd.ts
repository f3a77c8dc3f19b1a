import { existsSync, mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { folder, missing, QUICK, type Row, sh, start, until } from './measure.ts';

/** A queue server with a log on disk; messages are put and, one by one, reserved and deleted. */
export function beanstalkd(): Row[] {
  const n = QUICK ? 20_000 : 100_000;
  const path = join(folder, 'beanstalkd.sock');
  const skip = missing('beanstalkd');
  const body = 'message 00000000000';
  return [
    {
      name: 'beanstalkd-put',
      what: `put ${n} lines from a file`,
      peer: 'beanstalkd put, binlog, pipelined',
      unit: 'M/s',
      rounds: 3,
      skip,
      prepare: async () => {
        mkdirSync(join(folder, 'binlog'));
        start('beanstalkd', ['-l', `unix:${path}`, '-b', join(folder, 'binlog'), '-f', '1000']);
        await until(() => existsSync(path));
        await sh(`seq -f 'message %11.0f' ${n} >few`);
      },
      mq: async () => n / 1e6 / (await sh('"$mq" put b <few')),
      other: async () => {
        const request = `put 0 0 60 ${body.length}\r\n${body}\r\n`;
        const begun = performance.now();
        await put(path, request.repeat(n), n);
        return n / 1e3 / (performance.now() - begun);
      },
    },
    {
      name: 'beanstalkd-get',
      what: `get ${n} lines into a file`,
      peer: 'beanstalkd reserve and delete, 100 at a time',
      unit: 'M/s',
      rounds: 1,
      skip,
      mq: async () => n / 1e6 / (await sh(`"$mq" get -c ${n} b >got`)),
      other: async () => {
        const begun = performance.now();
        await reserveAndDelete(path, n);
        return n / 1e3 / (performance.now() - begun);
      },
    },
  ];
}

/** Sends all puts in one go. */
function put(path: string, requests: string, n: number): Promise<void> {
  let stored = 0;
  return talk(path, requests, (line, _, done) => {
    if (line.startsWith('INSERTED') && ++stored === n) done();
  });
}

/** Reserves and deletes a hundred jobs at a time: with more of them reserved, beanstalkd gets slow. */
function reserveAndDelete(path: string, n: number): Promise<void> {
  let asked = Math.min(n, 100);
  let deleted = 0;
  return talk(path, 'reserve\r\n'.repeat(asked), (line, write, done) => {
    const [word, id] = line.split(' ');
    if (word === 'RESERVED') write(`delete ${id}\r\n${asked++ < n ? 'reserve\r\n' : ''}`);
    else if (word === 'DELETED' && ++deleted === n) done();
  });
}

type Hear = (line: string, write: (requests: string) => void, done: () => void) => void;

/** Sends requests, and passes each line of the answers to `hear` until that calls `done`. */
function talk(path: string, requests: string, hear: Hear): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const done = () => {
      socket.destroy();
      resolve();
    };
    let rest = '';
    socket.on('error', reject);
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\r\n');
      rest = lines.pop() as string;
      let more = '';
      const write = (requests: string) => {
        more += requests;
      };
      for (const line of lines) hear(line, write, done);
      if (more !== '') socket.write(more);
    });
    socket.write(requests);
  });
}
