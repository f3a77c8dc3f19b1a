import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { BIN, call, output, QUICK, type Row, SOCKET, sh } from './measure.ts';

/** Memory and start time of the daemon do not grow with the messages that wait in its queues. */
export function memory(): Row[] {
  const n = QUICK ? 1_000_000 : 10_000_000;
  const queues = QUICK ? 10_000 : 100_000;
  const messages = `${n} messages waiting`;
  const many = `${queues} queues with a message each`;
  return [
    {
      ...memoryRow('memory', messages),
      prepare: () => begin(() => sh(`seq -f 'message %11.0f' ${n} | "$mq" put m`)),
    },
    restartRow('memory-start', messages),
    { ...memoryRow('queues', many), prepare: () => begin(() => putIntoEach(queues)) },
    restartRow('queues-start', many),
  ];
}

function memoryRow(name: string, what: string): Row {
  return {
    name,
    what: `daemon (RSS) with ${what}`,
    peer: '',
    unit: 'MB',
    rounds: 1,
    most: 150,
    mq: async () => {
      const { pid } = JSON.parse(output(BIN, 'status', '--json'));
      const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
      return Number(kilobytes) / 1024;
    },
  };
}

/** The start with the messages that the row before has put. */
function restartRow(name: string, what: string): Row {
  return {
    name,
    what: `start on ${what}`,
    peer: '',
    unit: 'ms',
    rounds: 3,
    most: 1000,
    mq: async () => {
      await call(BIN, 'stop');
      return call(BIN, 'create', 'm');
    },
  };
}

/** Makes a new store, and fills it with `put`. */
async function begin(put: () => Promise<unknown>): Promise<void> {
  await sh('"$mq" stop; rm -f home/mq.db*; "$mq" create m');
  await put();
}

function putIntoEach(queues: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(SOCKET);
    let answers = 0;
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      for (const byte of chunk) if (byte === 0x0a) answers += 1;
      if (answers < queues) return;
      socket.destroy();
      resolve();
    });
    for (let i = 0; i < queues; i++) {
      const queue = `queue${i}`;
      const body = `message ${String(i).padStart(11)}`;
      socket.write(`*3\r\n$3\r\nPUT\r\n$${queue.length}\r\n${queue}\r\n$${body.length}\r\n${body}\r\n`);
    }
  });
}
