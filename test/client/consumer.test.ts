import { afterEach, beforeEach, expect, test } from 'vitest';
import { Consumer } from '../../src/client/consumer.ts';
import type { Held } from '../../src/client/held.ts';
import type { Request } from '../../src/protocol/requests.ts';
import type { Value } from '../../src/protocol/values.ts';
import { until } from '../until.ts';
import { FakeDaemon } from './fake-daemon.ts';

let daemon: FakeDaemon;
beforeEach(async () => {
  daemon = new FakeDaemon();
  await daemon.listen();
});
afterEach(() => daemon.end());

const open = () => Consumer.open({ places: daemon.places, start: false }, { queues: ['q'] });

/** The answer to a get: one message, so large that more is asked for ahead. */
const large = (id: number): Value => [
  [id, 1, 0, 0, 1, 1, Buffer.from(`$40000\r\n${'x'.repeat(40_000)}\r\n`)],
];

/** The messages that requests acknowledge, and their gets. */
const wordsOf = (requests: Request[] = []) =>
  requests.map((request) => {
    const acked = request.verb === 'GET' ? request.done?.ids : request.verb === 'DONE' && request.ids;
    return [request.verb, ...(acked || []).map(({ first }) => first)].join(' ');
  });

const take = async (consumer: Consumer) => (await consumer.take(Infinity, 1, 100)) as Held[];

test('a consumer comes back to each daemon at once, whatever it does meanwhile', async () => {
  const consumer = await open();
  for (let death = 1; death <= 3; death++) {
    daemon.die();
    await until(() => daemon.asked.length === death + 1);
  }
  await consumer.finish();
});

test('messages that are consumed are acknowledged to the next daemon before it is asked for more', async () => {
  let gets = 0;
  daemon.serves = [() => (++gets <= 2 ? large(gets) : 'die')];
  const consumer = await open();
  const first = await take(consumer);
  await until(() => daemon.asked.length === 2);
  consumer.done(first, 1);
  // It came ahead, from the daemon that died.
  const second = await take(consumer);
  expect([first[0]?.id, second[0]?.id]).toEqual([1, 2]);
  consumer.done(second, 1);
  await until(() => daemon.asked[1]?.length === 1);
  const third = take(consumer);
  await until(() => daemon.asked[1]?.length === 2);
  expect(wordsOf(daemon.asked[0])).toEqual(['GET', 'GET', 'GET']);
  expect(wordsOf(daemon.asked[1])).toEqual(['DONE 1', 'GET 2']);
  daemon.close();
  daemon.die();
  await expect(third).rejects.toMatchObject({ code: 'UNKNOWN' });
});

test('an acknowledgement that went with a get ahead goes to the next daemon by itself, before the next get', async () => {
  let gets = 0;
  daemon.serves = [
    () => {
      gets++;
      return gets <= 3 ? large(gets) : gets === 4 ? 'silent' : 'die';
    },
    ({ verb }) => (verb === 'DONE' ? 1 : 'silent'),
  ];
  const consumer = await open();
  consumer.done(await take(consumer), 1);
  consumer.done(await take(consumer), 1);
  const third = await take(consumer);
  await until(() => daemon.asked.length === 2);
  consumer.done(third, 1);
  const fourth = take(consumer);
  await until(() => wordsOf(daemon.asked[1]).some((word) => word.startsWith('GET')));
  const words = wordsOf(daemon.asked[1]);
  expect(words.at(-1)).toBe('GET 3');
  expect(words.slice(0, -1).toSorted()).toEqual(['DONE 1', 'DONE 2']);
  consumer.interrupt();
  daemon.close();
  daemon.die();
  await expect(fourth).rejects.toMatchObject({ code: 'UNKNOWN' });
});
