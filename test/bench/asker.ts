import type { Request } from '../../src/protocol/requests.ts';
import { Client } from './client.ts';
import { scheduleOf } from './processes.ts';

/**
 * asker.ts SOCKET PID: asks the daemon with this pid something every 10 ms, until standard input ends. It
 * prints "asks" when it begins, and at the end two maxima as JSON: the wait from question to answer, without
 * the time in which daemon and asker waited for a processor (a busy machine is not the daemon's fault), and
 * the daemon's own work in that time.
 */
const EVERY = 10;

const [socket, pid] = [process.argv[2] as string, Number(process.argv[3])];
const message = { count: 1, bytes: Buffer.from('$1\r\nx\r\n') };
const QUESTIONS: Request[] = [
  { verb: 'SIZE', queue: 'asked' },
  { verb: 'PUT', queue: 'asked', messages: message, priority: 0, timeout: 0 },
  { verb: 'GET', queues: ['asked'], timeout: 0, count: undefined, hold: false },
];

const connection = new Client(socket);
let ended = false;
process.stdin.on('end', () => {
  ended = true;
});
process.stdin.resume();

const longest = { wait: 0, work: 0 };
await connection.ask({ verb: 'CREATE', queue: 'asked', settings: {} });
process.stdout.write('asks\n');
for (let i = 0; !ended; i++) {
  const [own, daemon, begun] = [scheduleOf('self'), scheduleOf(pid), performance.now()];
  await connection.ask(QUESTIONS[i % QUESTIONS.length] as Request);
  const took = performance.now() - begun;
  const [ownAfter, daemonAfter] = [scheduleOf('self'), scheduleOf(pid)];
  const wait = took - (ownAfter.delay - own.delay) - (daemonAfter.delay - daemon.delay);
  longest.wait = Math.max(longest.wait, wait);
  longest.work = Math.max(longest.work, Math.min(took, daemonAfter.run - daemon.run));
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, EVERY - took)));
}
connection.destroy();
process.stdout.write(JSON.stringify(longest));
