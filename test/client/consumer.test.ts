import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Consumer } from '../../src/client/consumer.ts';
import { places } from '../../src/paths.ts';
import { encode } from '../../src/protocol/values.ts';
import { VERSION } from '../../src/version.ts';

test('a consumer comes back to each daemon at once, whatever it does meanwhile', async () => {
  const home = mkdtempSync(join(tmpdir(), 'mq-consumer-'));
  const greeting = new Map([
    ['server', 'mq'],
    ['version', VERSION],
  ]);
  let connected: (socket: Socket) => void;
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(Buffer.concat(encode(greeting, 3)));
      connected(socket);
    });
  });
  const next = () =>
    new Promise<Socket>((resolve) => {
      connected = resolve;
    });
  await new Promise<void>((resolve) => server.listen(join(home, 'mq.sock'), resolve));
  try {
    let coming = next();
    const consumer = await Consumer.open({ places: places({ MQ_HOME: home }), start: false }, ['q']);
    for (let death = 0; death < 3; death++) {
      const socket = await coming;
      coming = next();
      socket.destroy();
    }
    expect((await coming).destroyed).toBe(false);
    await consumer.finish();
    (await coming).destroy();
  } finally {
    await new Promise((resolve) => server.close(resolve));
    rmSync(home, { recursive: true });
  }
});
