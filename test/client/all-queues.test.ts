import { afterEach, beforeEach, expect, test } from 'vitest';
import { allQueues } from '../../src/client/all-queues.ts';
import type { Value } from '../../src/protocol/values.ts';
import { FakeDaemon } from './fake-daemon.ts';

let daemon: FakeDaemon;
beforeEach(async () => {
  daemon = new FakeDaemon();
  await daemon.listen();
});
afterEach(() => daemon.end());

const described = (name: string, kind = 'fifo') =>
  new Map<string, Value>([
    ['name', name],
    ['kind', kind],
  ]);
const page = (first: number, size: number): Value[] =>
  Array.from({ length: size }, (_, i) => described(`q${first + i}`));

async function namesOf(answers: Value[][]): Promise<string[]> {
  daemon.serves = [() => answers.shift() ?? []];
  const names: string[] = [];
  for await (const each of allQueues(daemon.places, false))
    for (const map of each) names.push(String(map.get('name')));
  return names;
}

const asked = () => daemon.asked[0]?.map((request) => request.verb === 'LS' && request.after);

test('pages are asked for until one is not full', async () => {
  expect(await namesOf([page(0, 5000), page(5000, 3)])).toHaveLength(5003);
  expect(asked()).toEqual([undefined, 'q4999']);
});

test('pipes stand behind the queues, and nothing behind them', async () => {
  expect(await namesOf([[...page(0, 4999), described('p', 'pipe')]])).toHaveLength(5000);
  expect(asked()).toEqual([undefined]);
});

test('queues that were removed meanwhile are left out, and not begun with again', async () => {
  const gone: Value[] = Array.from({ length: 5000 }, () => null);
  expect(await namesOf([[...page(0, 4999), null], gone, page(6000, 1)])).toHaveLength(5000);
  expect(asked()).toEqual([undefined, 'q4998', 'q4998']);
});

test('another daemon is asked when one dies', async () => {
  const pages = [page(0, 5000), page(5000, 1)];
  daemon.serves = [
    (request) => (request.verb === 'LS' && request.after ? 'die' : (pages[0] ?? [])),
    () => pages[1] ?? [],
  ];
  let count = 0;
  for await (const each of allQueues(daemon.places, false)) count += each.length;
  expect(count).toBe(5001);
});
