import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LookLimit } from '../../src/store/look.ts';
import type { PutOptions, Store, TakeLimit } from '../../src/store/store.ts';
import type { OpenEmpty } from './contract.ts';
import { ALL, bodiesOf, type Message, messagesOf, packed, SILENT } from './messages.ts';

/** The part of a store's specification that is about single messages, by their ids. */
export function idContract(engine: string, open: OpenEmpty): void {
  let store: Store;
  let now: number;

  beforeEach(async () => {
    now = 1_700_000_000_000;
    store = await open(SILENT, () => now);
  });
  afterEach(() => store.end());

  const putting = (bodies: string[], options: Partial<PutOptions> = {}, queue = 'q') =>
    store.put(queue, packed(...bodies), { priority: 0, ids: { since: 0 }, ...options });
  const client = (index: number, since = index) => ({ client: { id: 'x', index }, ids: { since } });

  describe(`${engine}: the ids of what is put`, () => {
    test('are told where they are asked for', async () => {
      expect(await putting(['a', 'b'])).toEqual({ stored: 2, ids: [{ first: 1, last: 2 }] });
      expect(await putting(['c'], {}, 'other')).toEqual({ stored: 1, ids: [{ first: 3, last: 3 }] });
      expect(await putting(['d'], { ids: undefined })).toEqual({ stored: 1 });
    });

    test('are those of the stored messages, where there is no room for all', async () => {
      await store.create('q', { maxsize: 2 });
      const some = { stored: 2, lacking: 'FULL', ids: [{ first: 1, last: 2 }] };
      expect(await putting(['a', 'b', 'c'])).toEqual(some);
      expect(await putting(['d'])).toEqual({ stored: 0, lacking: 'FULL', ids: [] });
    });

    test('are that of the message that has the key', async () => {
      await putting(['a']);
      const first = await putting(['b'], { key: 'k' });
      expect(await putting(['c'], { key: 'k' })).toEqual(first);
      expect(await putting(['d'], { key: 'k', ...client(0) })).toEqual(first);
      await store.purge('q');
      expect(await putting(['d'], { key: 'k', ...client(0) })).toEqual(first);
    });

    test('are the same when a put is asked for again, also if others came between', async () => {
      const first = await putting(['a', 'b'], client(0));
      await putting(['x']);
      const second = await putting(['c'], client(2));
      expect(await putting(['c'], client(2))).toEqual(second);
      expect(second.ids).toEqual([{ first: 4, last: 4 }]);
      expect(first.ids).toEqual([{ first: 1, last: 2 }]);
    });

    test('are the same when a put was stored in parts, and goes on', async () => {
      await store.create('q', { maxsize: 2 });
      await putting(['a', 'b', 'c', 'd'], client(0));
      await putting(['x'], {}, 'other');
      await store.purge('q');
      await putting(['c'], client(2, 0));
      const all = await putting(['a', 'b', 'c', 'd'], client(0));
      expect(all).toEqual({
        stored: 4,
        ids: [
          { first: 1, last: 2 },
          { first: 4, last: 5 },
        ],
      });
      expect(await store.idsOf('x', 1)).toEqual([
        { first: 2, last: 2 },
        { first: 4, last: 5 },
      ]);
      await store.close('q', false);
      expect(await putting(['c', 'd', 'e'], client(2, 0))).toMatchObject({ stored: 2, lacking: 'CLOSED' });
    });

    test('are kept from the position on that the client names, until it is forgotten', async () => {
      await putting(['a', 'b', 'c'], client(0));
      await putting(['d', 'e'], client(3));
      expect(await store.idsOf('x', 0)).toEqual([{ first: 4, last: 5 }]);
      expect(await putting(['a', 'b', 'c', 'd'], client(0))).toEqual({
        stored: 4,
        ids: [{ first: 4, last: 4 }],
      });
      store.forget('x');
      await putting(['z']);
      expect(await store.idsOf('x', 0)).toEqual([]);
    });

    test('are not known of a put that did not ask for them', async () => {
      await putting(['a', 'b'], { client: { id: 'x', index: 0 }, ids: undefined });
      expect(await putting(['b', 'c'], client(1))).toEqual({ stored: 2, ids: [{ first: 3, last: 3 }] });
    });
  });
  const only = (id: number) => ({ ...ALL, id });
  const lease = async (queue: string, limit: TakeLimit = ALL) =>
    messagesOf((await store.lease(queue, limit, 1000)).runs);
  const fail = (queue: string, ...leases: string[]) => store.settleLeases(queue, leases, 'failed', 0);

  describe.each(['fifo', 'lifo', 'priority'] as const)(`${engine}: one message by its id (%s)`, (kind) => {
    beforeEach(async () => {
      await store.create('q', { kind });
      await putting(['a', 'b', 'c', 'd']);
      await putting(['x'], {}, 'other');
    });

    test('is taken or leased where it waits, before others', async () => {
      const { runs } = await store.take('q', only(3));
      expect(messagesOf(runs)).toMatchObject([{ id: 3, body: 'c' }]);
      expect(await lease('q', only(2))).toMatchObject([{ id: 2, body: 'b' }]);
      expect(bodiesOf(messagesOf(await store.peek('q', ALL))).toSorted()).toEqual(['a', 'd']);
      expect(messagesOf(await store.peek('q', only(4)))).toMatchObject([{ id: 4, body: 'd' }]);
    });

    test('is not taken where it does not wait', async () => {
      await store.take('q', only(1));
      await lease('q', only(2));
      for (const id of [1, 2, 5, 6, 1e15]) {
        expect((await store.take('q', only(id))).runs).toEqual([]);
        expect(await lease('q', only(id))).toEqual([]);
      }
      await putting(['later'], { delay: 50 });
      await putting(['mortal'], { ttl: 50 });
      now += 50;
      expect((await store.take('q', only(7))).runs).toEqual([]);
      expect((await store.take('nowhere', only(3))).runs).toEqual([]);
    });

    test('comes back with its failures', async () => {
      const [message] = await lease('q', only(3));
      await fail('q', message?.lease as string);
      expect(messagesOf((await store.take('q', only(3))).runs)).toMatchObject([{ failures: 1 }]);
    });
  });

  describe(`${engine}: the origin of a dead letter`, () => {
    beforeEach(async () => {
      await store.create('q', { max_attempts: 1 });
      await putting(['a', 'b']);
      const leases = await lease('q');
      await fail('q', ...leases.map((each) => each.lease as string));
    });
    const origins = async (queue: string) => (await store.peek(queue, ALL)).map(({ origin }) => origin);

    test('is told with it, however it is taken', async () => {
      expect(await origins('q.dead')).toEqual([
        { queue: 'q', id: 1 },
        { queue: 'q', id: 2 },
      ]);
      const [run] = (await store.lease('q.dead', { count: 1, bytes: 1 }, 1000)).runs;
      expect(run?.origin).toEqual({ queue: 'q', id: 1 });
      const [other] = (await store.take('q.dead', only(4))).runs;
      expect(other?.origin).toEqual({ queue: 'q', id: 2 });
    });

    test('is kept when its queue is removed, and when it goes to the end of the dead letters', async () => {
      await store.remove('q', true);
      await store.move('q.dead', 'q.dead', 1);
      expect(await origins('q.dead')).toEqual([
        { queue: 'q', id: 2 },
        { queue: 'q', id: 1 },
      ]);
    });

    test('ends when it is moved elsewhere', async () => {
      await store.move('q.dead', 'q', 1);
      await store.move('q.dead', 'other');
      expect(await origins('q')).toEqual([undefined]);
      expect(await origins('other')).toEqual([undefined]);
    });
  });
  describe.each(['fifo', 'lifo', 'priority'] as const)(`${engine}: a look at messages (%s)`, (kind) => {
    const look = async (wanted: Partial<LookLimit> = {}, queue = 'q') =>
      (await store.look(queue, { from: 1, ...ALL, ...wanted })).map(({ run, state, ...more }) => {
        const [message] = messagesOf([run]) as [Message];
        return { ...message, state, ...more, left: run.leases?.left };
      });
    const idsOf = (entries: { id: number }[]) => entries.map(({ id }) => id);

    beforeEach(async () => {
      await store.create('q', { kind });
      await putting(['a', 'b', 'c']);
      await putting(['x'], {}, 'other');
      await putting(['d'], { priority: kind === 'priority' ? -1 : 0, delay: 50, ttl: 500 });
      await putting(['e'], { key: 'k' });
    });

    test('shows them in the order of their ids, in whatever state they are', async () => {
      await store.take('q', only(2));
      const [leased] = await lease('q', only(3));
      now += 10;
      const all = await look();
      expect(all.map(({ id, body, state }) => `${id} ${body} ${state}`)).toEqual([
        '1 a waiting',
        '2 b leased',
        '3 c leased',
        '5 d delayed',
        '6 e waiting',
      ]);
      expect(all[1]).toMatchObject({ lease: undefined, left: undefined });
      expect(all[2]).toMatchObject({ lease: leased?.lease, left: 990 });
      expect(all[3]).toMatchObject({ dueIn: 40, expiresIn: 490, priority: kind === 'priority' ? -1 : 0 });
      expect(all[4]).toMatchObject({ key: 'k', dueIn: undefined, expiresIn: undefined });
    });

    test('shows those in one state', async () => {
      await store.take('q', only(2));
      const [leased] = await lease('q', only(3));
      await lease('q', only(6));
      expect(idsOf(await look({ state: 'waiting' }))).toEqual([1]);
      expect(idsOf(await look({ state: 'delayed' }))).toEqual([5]);
      expect(idsOf(await look({ state: 'leased' }))).toEqual([2, 3, 6]);
      await store.settleLeases('q', [leased?.lease as string], 'failed', 100);
      expect(await look({ state: 'delayed' })).toMatchObject([{ id: 3, failures: 1, dueIn: 100 }, { id: 5 }]);
      await store.settle('q', [{ first: 2, last: 2 }], 'done');
      now += 100;
      await store.runDue();
      expect(idsOf(await look({ state: 'waiting' }))).toEqual([1, 3, 5]);
      expect(idsOf(await look({ state: 'delayed' }))).toEqual([]);
    });

    test('shows a part, by ids, number and bytes', async () => {
      expect(idsOf(await look({ from: 2, to: 5 }))).toEqual([2, 3, 5]);
      expect(idsOf(await look({ from: 2, count: 2 }))).toEqual([2, 3]);
      expect(idsOf(await look({ from: 3, bytes: 8 }))).toEqual([3, 5]);
      expect(idsOf(await look({ from: 4, to: 4 }))).toEqual([]);
      expect(idsOf(await look({ from: 7 }))).toEqual([]);
      expect(idsOf(await look({}, 'other'))).toEqual([4]);
      await expect(look({}, 'nowhere')).rejects.toMatchObject({ code: 'NOQUEUE' });
    });

    test('shows no message that is gone, has expired or was moved', async () => {
      const [taken] = messagesOf((await store.take('q', only(2))).runs);
      await store.settle('q', [{ first: 2, last: taken?.id as number }], 'done');
      now += 500;
      expect(idsOf(await look())).toEqual([1, 3, 6]);
      await store.move('q', 'other');
      expect(idsOf(await look())).toEqual([]);
      expect((await look({}, 'other')).length).toBe(4);
    });

    test('shows many, of which most are of no interest', async () => {
      const many = Array.from({ length: 3000 }, (_, i) => String(i));
      await putting(many, {}, 'many');
      for (let i = 0; i < 20; i++) await putting([`single ${i}`], {}, 'many');
      const leases = await lease('many', { count: 2500, bytes: Infinity });
      for (let at = 0; at < leases.length; at += 500)
        await store.settleLeases(
          'many',
          leases.slice(at, at + 500).flatMap((each) => each.lease as string),
          'failed',
          0,
        );
      const [last] = await lease('many', only(3020));
      expect(await look({ state: 'leased' }, 'many')).toMatchObject([{ id: last?.id }]);
      expect(await look({ from: 3010, state: 'leased' }, 'many')).toMatchObject([{ id: last?.id }]);
      expect((await look({ state: 'waiting' }, 'many')).length).toBe(3019);
      expect(idsOf(await look({ from: 3000, count: 3 }, 'many'))).toEqual([3000, 3001, 3002]);
    });
  });
}
