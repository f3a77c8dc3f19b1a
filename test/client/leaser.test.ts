import { afterEach, beforeEach, expect, test } from 'vitest';
import { Leaser } from '../../src/client/leaser.ts';
import { OK, Push, type Value } from '../../src/protocol/values.ts';
import { until } from '../until.ts';
import { FakeDaemon } from './fake-daemon.ts';

let daemon: FakeDaemon;
beforeEach(async () => {
  daemon = new FakeDaemon();
  await daemon.listen();
});
afterEach(() => daemon.end());

/** The answer to a get: one message on lease. */
const leased = (id: number, queue: string): Value => [
  queue,
  [[id, 1, 0, 0, 1, 1, Buffer.from('$1\r\nx\r\n'), 0, [`${id}.a`]]],
];

test('what a get brings of a queue that was paused meanwhile goes back', async () => {
  daemon.serves = [() => 'silent', () => OK, () => OK];
  const queues = ['q', 'other'];
  const options = { queues, duration: 60_000, until: 'finished' as const };
  const leaser = await Leaser.open({ places: daemon.places, start: false }, options);
  const told: string[] = [];
  leaser.onPaused = (queue) => told.push(queue);
  const taking = leaser.take(1, 0);
  const [gets, settled] = daemon.asked as [unknown[], unknown[]];
  const write = daemon.writes[0] as (value: Value) => void;
  await until(() => gets.length === 1);
  write(new Push(['paused', 'q']));
  write(new Push(['something', 'new']));
  write(leased(1, 'q'));
  expect(await taking).toEqual([]);
  await until(() => settled.length === 1);
  expect(settled[0]).toMatchObject({ verb: 'RETURN', queue: 'q', leases: ['1.a'] });
  const again = leaser.take(2, 1);
  await until(() => gets.length === 2);
  expect(gets.map((get) => (get as { ahead?: number }).ahead)).toEqual([undefined, 1]);
  write(leased(2, 'q'));
  expect((await again)?.map(({ token }) => token)).toEqual(['2.a']);
  expect(told).toEqual(['q']);
  leaser.end();
});
