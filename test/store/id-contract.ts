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
  describe.each(['fifo', 'lifo', 'priority'] as const)(`${engine}: acts on single messages (%s)`, (kind) => {
    const once = (seq: number) => ({ client: 'c', seq, acked: 0 });
    const waiting = async (queue: string) =>
      messagesOf(await store.peek(queue, ALL))
        .toSorted((a, b) => a.id - b.id)
        .map(({ id, body }) => `${id} ${body}`);
    const all = (queue: string) => store.look(queue, { from: 1, ...ALL });

    beforeEach(async () => {
      await store.create('q', { kind, max_attempts: 2 });
      await putting(['a', 'b', 'c', 'd', 'e']);
    });
    /** Gives a message up. @returns its id as a dead letter */
    const giveUp = async (id: number) => {
      for (let attempt = 0; attempt < 2; attempt++)
        await fail('q', (await lease('q', only(id)))[0]?.lease as string);
      return Math.max(...(await all('q.dead')).map(({ run }) => run.id));
    };

    test('drop: messages are gone, whatever their state', async () => {
      await store.take('q', only(1));
      const [leased] = await lease('q', only(2));
      await putting(['later'], { delay: 50 });
      expect(await store.drop('q', [1, 2, 3, 6, 3, 99], once(1))).toEqual({ count: 4, missing: [99] });
      expect(await store.drop('q', [1, 2, 3, 6, 3, 99], once(1))).toEqual({ count: 4, missing: [99] });
      expect(await store.drop('q', [3, 4])).toEqual({ count: 1, missing: [3] });
      expect(await waiting('q')).toEqual(['5 e']);
      await expect(fail('q', leased?.lease as string)).rejects.toMatchObject({ code: 'NOLEASE' });
      await store.settle('q', [{ first: 1, last: 1 }], 'returned');
      await store.returnLeases('q', [leased?.lease as string]);
      expect(await store.stat('q')).toMatchObject({ waiting: 1, delayed: 0, held: 0, leased: 0 });
      await expect(store.drop('nowhere', [1])).rejects.toMatchObject({ code: 'NOQUEUE' });
    });

    test('move: those that wait go to the end of the other queue, in the order of the call', async () => {
      await lease('q', only(2));
      await putting(['x'], {}, 'other');
      expect(await store.moveIds('q', 'other', [4, 2, 1, 99], once(1))).toEqual({
        count: 2,
        missing: [2, 99],
      });
      expect(await store.moveIds('q', 'other', [4, 2, 1, 99], once(1))).toEqual({
        count: 2,
        missing: [2, 99],
      });
      expect(await waiting('q')).toEqual(['3 c', '5 e']);
      expect(await waiting('other')).toEqual(['6 x', '7 d', '8 a']);
      expect(await store.moveIds('q', 'q', [3])).toEqual({ count: 1, missing: [] });
      expect(await waiting('q')).toEqual(['5 e', '9 c']);
    });

    test('move is refused where there is no room for all that wait, or the queue is closed', async () => {
      await store.create('small', { maxsize: 2 });
      await lease('q', only(1));
      await expect(store.moveIds('q', 'small', [2, 3, 4])).rejects.toMatchObject({ code: 'FULL' });
      expect(await store.moveIds('q', 'small', [1, 2, 3])).toEqual({ count: 2, missing: [1] });
      await store.close('small', false);
      await expect(store.moveIds('q', 'small', [99])).rejects.toMatchObject({ code: 'CLOSED' });
      await expect(store.moveIds('nowhere', 'small', [1])).rejects.toMatchObject({ code: 'NOQUEUE' });
    });

    test('retry: dead letters go back to their queue, with their key, beyond its limit', async () => {
      await putting(['k'], { key: 'key' });
      await putting(['x'], {}, 'other');
      await giveUp(6);
      await giveUp(2);
      await store.configure('q', { maxsize: 1 });
      await store.move('other', 'q.dead');
      expect(await store.retry('q.dead', undefined, once(1))).toEqual({ count: 2, missing: [] });
      expect(await store.retry('q.dead', undefined, once(1))).toEqual({ count: 2, missing: [] });
      expect(await store.retry('q.dead', undefined)).toEqual({ count: 0, missing: [] });
      expect(await waiting('q.dead')).toEqual(['10 x']);
      expect((await waiting('q')).slice(-2)).toEqual(['11 k', '12 b']);
      const [entry] = await store.look('q', { from: 11, ...ALL });
      expect(entry).toMatchObject({ key: 'key', run: { failures: 0 } });
      expect(entry?.run.origin).toBeUndefined();
    });

    test('retry: dead letters by their ids; what it cannot act on is named', async () => {
      const [first, second] = [await giveUp(1), await giveUp(2)];
      expect(await store.retry('q.dead', [second, 1, 99])).toEqual({ count: 1, missing: [1, 99] });
      expect(await waiting('q.dead')).toEqual([`${first} a`]);
      await store.take('q.dead', only(first));
      expect(await store.retry('q.dead', [first])).toEqual({ count: 0, missing: [first] });
      expect(await store.retry('q', [3])).toEqual({ count: 0, missing: [3] });
      await expect(store.retry('nowhere', undefined)).rejects.toMatchObject({ code: 'NOQUEUE' });
    });

    test('retry: a queue that has gone is made again; for one that is closed they stay', async () => {
      const [first, second] = [await giveUp(1), await giveUp(2)];
      await store.close('q', false);
      const closed = { count: 0, missing: [], closed: 'q' };
      expect(await store.retry('q.dead', undefined, once(1))).toEqual(closed);
      expect(await store.retry('q.dead', undefined, once(1))).toEqual(closed);
      expect(await store.retry('q.dead', [99, first])).toEqual({ ...closed, missing: [99] });
      await store.remove('q', true);
      expect(await store.retry('q.dead', [second])).toEqual({ count: 1, missing: [] });
      expect(await waiting('q')).toHaveLength(1);
    });

    test('retry: what is delayed because it failed waits, and keeps its failures', async () => {
      await store.settleLeases('q', [(await lease('q', only(2)))[0]?.lease as string], 'failed', 1000);
      await putting(['later', 'and later', 'last'], { delay: 2000, ttl: 5000 });
      expect(await store.retry('q', undefined)).toEqual({ count: 1, missing: [] });
      expect(await waiting('q')).toEqual(['1 a', '2 b', '3 c', '4 d', '5 e']);
      expect(messagesOf((await store.take('q', only(2))).runs)).toMatchObject([{ failures: 1 }]);
    });

    test('retry: one that was put with a delay waits, if it is named', async () => {
      await putting(['f', 'g', 'h', 'i'], { delay: 2000, ttl: 5000 });
      await putting(['j'], { delay: 2000, key: 'k' });
      expect(await store.drop('q', [6])).toEqual({ count: 1, missing: [] });
      expect(await store.retry('q', [7, 10])).toEqual({ count: 2, missing: [] });
      expect((await waiting('q')).slice(5)).toEqual(['7 g', '10 j']);
      expect(await store.stat('q')).toMatchObject({ waiting: 7, delayed: 2 });
      expect(await store.retry('q', [8])).toEqual({ count: 1, missing: [] });
      expect(messagesOf((await store.take('q', only(8))).runs)).toMatchObject([{ body: 'h' }]);
      now += 2000;
      await store.runDue();
      expect((await waiting('q')).slice(5)).toEqual(['7 g', '9 i', '10 j']);
      now += 3000;
      await store.runDue();
      expect((await waiting('q')).slice(5)).toEqual(['10 j']);
    });

    test('many are acted on in parts', async () => {
      const many = Array.from({ length: 1500 }, (_, i) => String(i));
      await store.create('many', { max_attempts: 1 });
      await putting(many, {}, 'many');
      const ids = many.map((_, i) => i + 6);
      for (let at = 0; at < 1500; at += 500)
        await store.settleLeases(
          'many',
          (await lease('many', { count: 500, bytes: Infinity })).map((each) => each.lease as string),
          'failed',
        );
      expect(await store.retry('many.dead', undefined, once(1))).toEqual({ count: 1500, missing: [] });
      expect(bodiesOf(messagesOf(await store.peek('many', ALL)))).toEqual(many);
      const again = ids.map((id) => id + 3000);
      const moved = await store.moveIds('many', 'other', [...again.slice(0, 700), ...ids], once(2));
      expect(moved).toEqual({ count: 700, missing: ids });
      expect((await store.drop('many', again, once(3))).count).toBe(800);
    });
  });
}
