import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { NOTHING, pack } from '../../src/packed.ts';
import type { Settings } from '../../src/settings.ts';
import type { OnChange, Outcome, QueueState, Store } from '../../src/store/store.ts';
import { ALL, bodiesOf, idsIn, idsOf, type Message, messagesOf, packed } from './messages.ts';

/**
 * The specification of a store (src/store/store.ts), to be run on every engine.
 *
 * @param open gives an empty store
 */
export function storeContract(engine: string, open: (onChange: OnChange) => Store): void {
  let store: Store;
  let changed: string[];

  beforeEach(() => {
    changed = [];
    store = open((queue) => changed.push(queue));
  });
  afterEach(() => store.end());

  const put = (queue: string, ...bodies: string[]) => store.put(queue, packed(...bodies), { priority: 0 });
  const putAt = (queue: string, priority: number, ...bodies: string[]) =>
    store.put(queue, packed(...bodies), { priority });
  const putAs = (id: string, index: number, queue: string, ...bodies: string[]) =>
    store.put(queue, packed(...bodies), { priority: 0, client: { id, index } });
  const take = async (queue: string, count = Infinity, bytes = Infinity) =>
    messagesOf((await store.take(queue, { count, bytes })).runs);
  const isDrained = async (queue: string) => (await store.take(queue, { count: 0, bytes: 0 })).drained;
  const peek = async (queue: string, count = Infinity) =>
    messagesOf(await store.peek(queue, { count, bytes: Infinity }));
  const waiting = async (queue: string) => bodiesOf(await peek(queue));
  const settle = (queue: string, messages: Message[], outcome: Outcome) =>
    store.settle(queue, idsOf(messages), outcome);
  const stat = async (queue: string) => (await store.stat(queue)) as QueueState;
  /** A queue with these settings and messages. */
  const given = async (queue: string, settings: Partial<Settings>, ...bodies: string[]) => {
    await store.create(queue, settings);
    if (bodies.length > 0) await put(queue, ...bodies);
  };
  const refusal = (code: string) => expect.objectContaining({ code });

  describe(`${engine}: order`, () => {
    test('a fifo queue gives what was put first', async () => {
      await put('q', 'a', 'b');
      await put('q', 'c');
      expect(bodiesOf(await take('q'))).toEqual(['a', 'b', 'c']);
    });

    test('a lifo queue gives what was put last, also of one put', async () => {
      await given('q', { kind: 'lifo' }, 'a', 'b');
      await put('q', 'c', 'd', 'e');
      expect(bodiesOf(await take('q', 2))).toEqual(['e', 'd']);
      await put('q', 'f');
      expect(bodiesOf(await take('q'))).toEqual(['f', 'c', 'b', 'a']);
    });

    test('a priority queue gives the lowest number first, equal ones in order of arrival', async () => {
      await given('q', { kind: 'priority' });
      await putAt('q', 1, 'late 1', 'late 2');
      await putAt('q', 0, 'middle 1');
      await putAt('q', -5, 'early');
      await putAt('q', 0, 'middle 2');
      await putAt('q', -(2 ** 31), 'first');
      await putAt('q', 2 ** 31 - 1, 'last');
      const messages = await take('q');
      expect(bodiesOf(messages)).toEqual([
        'first',
        'early',
        'middle 1',
        'middle 2',
        'late 1',
        'late 2',
        'last',
      ]);
      expect(messages.map(({ priority }) => priority)).toEqual([-(2 ** 31), -5, 0, 0, 1, 1, 2 ** 31 - 1]);
    });

    test('a message that is put before others were taken goes before them', async () => {
      await given('q', { kind: 'priority' });
      await putAt('q', 5, 'five');
      expect(bodiesOf(await take('q'))).toEqual(['five']);
      await putAt('q', 7, 'seven');
      await putAt('q', 3, 'three');
      expect(bodiesOf(await take('q'))).toEqual(['three', 'seven']);
    });

    test.each(['fifo', 'lifo'] as const)('a %s queue takes no priority but 0', async (kind) => {
      await given('q', { kind });
      await expect(putAt('q', 1, 'a')).rejects.toEqual(refusal('NOTPRIORITY'));
      expect(await putAt('q', 0, 'b')).toEqual({ stored: 1 });
      expect(await waiting('q')).toEqual(['b']);
    });

    test('a queue that comes into being with a put takes no priority but 0', async () => {
      await expect(putAt('q', -1, 'a')).rejects.toEqual(refusal('NOTPRIORITY'));
      expect(await store.stat('q')).toBeUndefined();
    });

    test('steps that are asked for at once happen in the order in which they were asked for', async () => {
      const results = await Promise.all([
        put('q', 'a', 'b'),
        take('q', 1),
        put('q', 'c'),
        store.purge('q'),
        put('q', 'd'),
        take('q'),
        store.close('q', true),
        put('q', 'e'),
      ]);
      expect(bodiesOf(results[1])).toEqual(['a']);
      expect(results[3]).toBe(2);
      expect(bodiesOf(results[5])).toEqual(['d']);
      expect(results[7]).toEqual({ stored: 0, lacking: 'CLOSED' });
    });
  });

  describe(`${engine}: put`, () => {
    test('a put to a queue that is not there makes an empty fifo without limit', async () => {
      await put('q', 'a');
      expect(await stat('q')).toMatchObject({ kind: 'fifo', maxsize: 0, closed: false, waiting: 1 });
    });

    test('a put of nothing stores nothing and makes no queue', async () => {
      expect(await store.put('q', NOTHING, { priority: 0 })).toEqual({ stored: 0 });
      expect(await store.list()).toEqual([]);
    });

    test('any bytes come back as they were put, an empty message too', async () => {
      const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
      const bodies = [
        all,
        Buffer.alloc(0),
        Buffer.from('$5\r\nhello\r\n'),
        Buffer.from('\0\n'),
        Buffer.alloc(0),
      ];
      await store.put('q', pack(bodies), { priority: 0 });
      expect(bodiesOf(await take('q'))).toEqual(bodies.map((body) => body.toString('latin1')));
    });

    test('a message of several MiB comes back as it was put', async () => {
      const body = Buffer.alloc(5 * 1024 * 1024, 'abcdefg');
      await store.put('q', pack([body, Buffer.from('small')]), { priority: 0 });
      const [large, small] = await take('q');
      expect(Buffer.from((large as Message).body, 'latin1').equals(body)).toBe(true);
      expect(small?.body).toBe('small');
    });

    test.each([
      ['fifo', 1],
      ['lifo', -1],
      ['priority', 1],
    ] as const)('a batch far above 128 KiB keeps its order in a %s queue', async (kind, step) => {
      const bodies = Array.from({ length: 5000 }, (_, i) => `${i}`.padEnd(100, '.'));
      await given('q', { kind }, ...bodies);
      const taken: Message[] = [];
      for (let some = await take('q', 777); some.length > 0; some = await take('q', 777)) taken.push(...some);
      expect(bodiesOf(taken)).toEqual(step === 1 ? bodies : bodies.toReversed());
      await settle('q', taken.slice(1000, 4000), 'done');
      await settle('q', taken, 'returned');
      const left = [...taken.slice(0, 1000), ...taken.slice(4000)];
      expect(await waiting('q')).toEqual(bodiesOf(left));
    });
  });

  describe(`${engine}: limits`, () => {
    test('a put behind a limit stores what fits and says FULL', async () => {
      await given('q', { maxsize: 3 }, 'a');
      expect(await put('q', 'b', 'c', 'd', 'e')).toEqual({ stored: 2, lacking: 'FULL' });
      expect(await put('q', 'f')).toEqual({ stored: 0, lacking: 'FULL' });
      expect(await waiting('q')).toEqual(['a', 'b', 'c']);
    });

    test('a put that just fits is not FULL', async () => {
      await given('q', { maxsize: 2 });
      expect(await put('q', 'a', 'b')).toEqual({ stored: 2 });
    });

    test('held messages do not count for the limit, and come back beyond it', async () => {
      await given('q', { maxsize: 2 }, 'a', 'b');
      const held = await take('q');
      expect(await put('q', 'c', 'd')).toEqual({ stored: 2 });
      await settle('q', held, 'returned');
      expect(await waiting('q')).toEqual(['a', 'b', 'c', 'd']);
      expect(await put('q', 'e')).toEqual({ stored: 0, lacking: 'FULL' });
      await settle('q', await take('q', 3), 'done');
      expect(await put('q', 'e', 'f')).toEqual({ stored: 1, lacking: 'FULL' });
    });
  });

  describe(`${engine}: take`, () => {
    test('takes as many as are asked for', async () => {
      await put('q', 'a', 'b');
      await put('q', 'c', 'd');
      expect(bodiesOf(await take('q', 3))).toEqual(['a', 'b', 'c']);
      expect(bodiesOf(await take('q', 3))).toEqual(['d']);
      expect(await take('q', 3)).toEqual([]);
    });

    test('takes no further message once so many bytes were taken', async () => {
      await put('q', ...Array.from({ length: 10 }, () => 'x'.repeat(100)));
      expect(await take('q', Infinity, 250)).toHaveLength(3);
      await put('q', 'y');
      expect(await take('q', Infinity, 1e6)).toHaveLength(8);
    });

    test('takes one message, however large, when any bytes are asked for', async () => {
      await put('q', '', 'x'.repeat(1000), 'x'.repeat(200_000), 'z');
      expect(bodiesOf(await take('q', Infinity, 1))).toEqual(['']);
      expect(await take('q', Infinity, 1)).toHaveLength(1);
      expect(await take('q', Infinity, 1)).toHaveLength(1);
      expect(bodiesOf(await take('q', Infinity, 1))).toEqual(['z']);
    });

    test('takes nothing when nothing is asked for', async () => {
      await put('q', 'a');
      expect(await take('q', 0, 0)).toEqual([]);
      expect(await waiting('q')).toEqual(['a']);
    });

    test('what is taken is hidden from everybody else', async () => {
      await put('q', 'a', 'b', 'c');
      await take('q', 2);
      expect(await waiting('q')).toEqual(['c']);
      expect(await stat('q')).toMatchObject({ waiting: 1, held: 2 });
      expect(bodiesOf(await take('q'))).toEqual(['c']);
    });

    test('takes nothing from a queue that is not there, and makes none', async () => {
      expect(await store.take('q', ALL)).toEqual({ runs: [], drained: false });
      expect(await store.list()).toEqual([]);
    });

    test('ids are positive, go up with each put, and no two queues share one', async () => {
      await put('a', '1', '2');
      await put('b', '3');
      await put('a', '4');
      const ids = [...(await take('a')), ...(await take('b'))].map(({ id }) => id);
      expect(new Set(ids).size).toBe(4);
      expect(Math.min(...ids)).toBeGreaterThan(0);
      const [one, two, four] = ids as [number, number, number];
      expect(one < two && two < four).toBe(true);
    });
  });

  describe(`${engine}: takeThese`, () => {
    test('takes those that are waiting, and ignores the others', async () => {
      await put('q', 'a', 'b', 'c', 'd');
      const [a, b, c, d] = (await peek('q')) as [Message, Message, Message, Message];
      await take('q', 1);
      const taken = await store.takeThese('q', [{ first: a.id, last: c.id }]);
      expect(idsIn(taken)).toEqual([b.id, c.id]);
      expect(await stat('q')).toMatchObject({ waiting: 1, held: 3 });
      await settle('q', [a, b], 'done');
      expect(idsIn(await store.takeThese('q', idsOf([a, b, c, d])))).toEqual([d.id]);
      await settle('q', [a, b, c, d], 'returned');
      expect(await waiting('q')).toEqual(['c', 'd']);
    });

    test('ignores the messages of other queues, ids that were never used, and queues that are not there', async () => {
      await put('q', 'a');
      await put('other', 'b');
      await put('q', 'c');
      const [a, c] = (await peek('q')) as [Message, Message];
      expect(idsIn(await store.takeThese('q', [{ first: 1, last: c.id + 1000 }]))).toEqual([a.id, c.id]);
      expect(await waiting('other')).toEqual(['b']);
      expect(await store.takeThese('nothing', [{ first: 1, last: 1000 }])).toEqual([]);
    });

    test('takes none twice when a range is named twice', async () => {
      await put('q', 'a', 'b');
      const [a, b] = (await peek('q')) as [Message, Message];
      const range = { first: a.id, last: b.id };
      expect(idsIn(await store.takeThese('q', [range, range]))).toEqual([a.id, b.id]);
      expect((await stat('q')).held).toBe(2);
    });
  });

  describe(`${engine}: settle`, () => {
    test('what is done is gone and counted', async () => {
      await put('q', 'a', 'b', 'c');
      await settle('q', await take('q', 2), 'done');
      expect(await waiting('q')).toEqual(['c']);
      expect(await stat('q')).toMatchObject({ waiting: 1, held: 0, put: 3, got: 2 });
    });

    test.each([
      ['fifo', ['a', 'b', 'c', 'd', 'e', 'f']],
      ['lifo', ['f', 'e', 'd', 'c', 'b', 'a']],
    ] as const)(
      'what is returned to a %s queue is in its original place, in whatever order it comes',
      async (kind, order) => {
        await given('q', { kind }, 'a', 'b', 'c');
        await put('q', 'd', 'e', 'f');
        const [one, two, three, four, ...rest] = (await take('q')) as [Message, Message, Message, Message];
        await settle('q', [three], 'returned');
        await settle('q', [one], 'returned');
        expect(await waiting('q')).toEqual([order[0], order[2]]);
        await settle('q', [...rest, four], 'returned');
        await settle('q', [two], 'returned');
        expect(await waiting('q')).toEqual(order);
      },
    );

    test('what is returned to a priority queue goes before what was put meanwhile', async () => {
      await given('q', { kind: 'priority' });
      await putAt('q', 1, 'a', 'b');
      await putAt('q', 2, 'c');
      const held = await take('q');
      await putAt('q', 1, 'd');
      await putAt('q', 0, 'e');
      await settle('q', held.toReversed(), 'returned');
      expect(await waiting('q')).toEqual(['e', 'a', 'b', 'd', 'c']);
    });

    test('a part of what was taken at once can be returned, and a part be done', async () => {
      await put('q', 'a', 'b', 'c', 'd', 'e');
      const [a, b, c, d, e] = (await take('q')) as [Message, Message, Message, Message, Message];
      await store.settle('q', [{ first: b.id, last: c.id }], 'returned');
      await settle('q', [e, a], 'done');
      expect(await waiting('q')).toEqual(['b', 'c']);
      expect(await stat('q')).toMatchObject({ waiting: 2, held: 1, got: 2 });
      await settle('q', [d], 'returned');
      expect(bodiesOf(await take('q'))).toEqual(['b', 'c', 'd']);
    });

    test('messages can be done in any order', async () => {
      const bodies = Array.from({ length: 50 }, (_, i) => `${i}`);
      await put('q', ...bodies);
      const all = await take('q');
      const inAnyOrder = all.toSorted((a, b) => ((a.id * 7919) % 50) - ((b.id * 7919) % 50));
      for (const message of inAnyOrder.slice(0, 40)) await settle('q', [message], 'done');
      await settle('q', inAnyOrder.slice(40), 'returned');
      const left = inAnyOrder.slice(40).sort((a, b) => a.id - b.id);
      expect(await waiting('q')).toEqual(bodiesOf(left));
      expect(await stat('q')).toMatchObject({ waiting: 10, held: 0, got: 40 });
    });

    test('a message is settled once: the second time does nothing', async () => {
      await put('q', 'a', 'b', 'c');
      const [a, b] = (await take('q', 2)) as [Message, Message];
      await settle('q', [a, a], 'done');
      await settle('q', [a], 'done');
      await settle('q', [a], 'returned');
      await settle('q', [b], 'returned');
      await settle('q', [b], 'returned');
      await settle('q', [b], 'done');
      expect(await waiting('q')).toEqual(['b', 'c']);
      expect(await stat('q')).toMatchObject({ waiting: 2, held: 0, got: 1 });
    });

    test('ids of messages that are waiting, of other queues, or of none are ignored', async () => {
      await put('q', 'a');
      await put('other', 'b');
      await take('other');
      await store.settle('q', [{ first: 1, last: 1000 }], 'done');
      await store.settle('nothing', [{ first: 1, last: 1000 }], 'done');
      expect(await waiting('q')).toEqual(['a']);
      expect(await stat('other')).toMatchObject({ waiting: 0, held: 1, got: 0 });
    });

    test('settles two queues whose messages alternate, each for itself', async () => {
      for (let i = 0; i < 6; i++) await put(i % 2 === 0 ? 'even' : 'odd', `${i}`);
      const even = await take('even');
      await take('odd');
      const range = { first: 1, last: (even.at(-1) as Message).id + 1 };
      await store.settle('even', [range], 'done');
      await store.settle('odd', [range], 'returned');
      expect(await stat('even')).toMatchObject({ waiting: 0, held: 0, got: 3 });
      expect(await waiting('odd')).toEqual(['1', '3', '5']);
    });
  });

  describe(`${engine}: the position of a client`, () => {
    test('what is sent again is stored once', async () => {
      expect(await putAs('x', 0, 'q', 'a', 'b')).toEqual({ stored: 2 });
      expect(await putAs('x', 0, 'q', 'a', 'b')).toEqual({ stored: 2 });
      expect(await putAs('x', 1, 'q', 'b')).toEqual({ stored: 1 });
      expect(await putAs('x', 2, 'q', 'c')).toEqual({ stored: 1 });
      expect(await waiting('q')).toEqual(['a', 'b', 'c']);
    });

    test('of what overlaps only the new part is stored', async () => {
      await putAs('x', 0, 'q', 'a', 'b');
      expect(await putAs('x', 1, 'q', 'b', 'c', 'd')).toEqual({ stored: 3 });
      expect(await waiting('q')).toEqual(['a', 'b', 'c', 'd']);
    });

    test('what was stored counts as stored when it is sent again, though it has been taken', async () => {
      await putAs('x', 0, 'q', 'a');
      await settle('q', await take('q'), 'done');
      expect(await putAs('x', 0, 'q', 'a')).toEqual({ stored: 1 });
      expect(await waiting('q')).toEqual([]);
    });

    test('messages behind a gap are refused', async () => {
      await putAs('x', 0, 'q', 'a');
      await expect(putAs('x', 2, 'q', 'c')).rejects.toEqual(refusal('GAP'));
      await expect(putAs('y', 1, 'q', 'b')).rejects.toEqual(refusal('GAP'));
      expect(await waiting('q')).toEqual(['a']);
    });

    test('a client goes on where a full queue stopped it', async () => {
      await given('q', { maxsize: 2 });
      expect(await putAs('x', 0, 'q', 'a', 'b', 'c')).toEqual({ stored: 2, lacking: 'FULL' });
      await settle('q', await take('q'), 'done');
      expect(await putAs('x', 2, 'q', 'c', 'd', 'e')).toEqual({ stored: 2, lacking: 'FULL' });
      expect(await waiting('q')).toEqual(['c', 'd']);
    });

    test('what is known already is stored in a full queue too, the rest is FULL', async () => {
      await given('q', { maxsize: 1 });
      await putAs('x', 0, 'q', 'a');
      expect(await putAs('x', 0, 'q', 'a')).toEqual({ stored: 1 });
      expect(await putAs('x', 0, 'q', 'a', 'b')).toEqual({ stored: 1, lacking: 'FULL' });
    });

    test('what is known already is stored in a closed queue too, the rest is CLOSED', async () => {
      await putAs('x', 0, 'q', 'a');
      await store.close('q', false);
      expect(await putAs('x', 0, 'q', 'a')).toEqual({ stored: 1 });
      expect(await putAs('x', 0, 'q', 'a', 'b')).toEqual({ stored: 1, lacking: 'CLOSED' });
      expect(await waiting('q')).toEqual(['a']);
    });

    test('FULL and CLOSED are said before GAP: the client was stopped there before', async () => {
      await given('full', { maxsize: 1 }, 'a');
      expect(await putAs('x', 5, 'full', 'b')).toEqual({ stored: 0, lacking: 'FULL' });
      await put('closed', 'a');
      await store.close('closed', false);
      expect(await putAs('x', 5, 'closed', 'b')).toEqual({ stored: 0, lacking: 'CLOSED' });
    });

    test('each client has its own', async () => {
      await putAs('x', 0, 'q', 'x0');
      await putAs('y', 0, 'q', 'y0');
      await putAs('x', 1, 'q', 'x1');
      expect(await waiting('q')).toEqual(['x0', 'y0', 'x1']);
    });

    test('what many clients send at once is stored once each', async () => {
      const sends = [0, 0, 1, 1].map((index) =>
        putAs('x', index, 'q', 'a', 'b', 'c').then(({ stored }) => stored),
      );
      expect(await Promise.all(sends)).toEqual([3, 3, 3, 3]);
      expect(await waiting('q')).toEqual(['a', 'b', 'c', 'c']);
    });

    test('the position of a client that was forgotten is not kept', async () => {
      await putAs('x', 0, 'q', 'a');
      store.forget('x');
      await put('q', 'b');
      expect(await putAs('x', 0, 'q', 'c')).toEqual({ stored: 1 });
      expect(await waiting('q')).toEqual(['a', 'b', 'c']);
    });
  });

  describe(`${engine}: close and open`, () => {
    test('a closed queue takes no more puts, and gives what it has', async () => {
      await put('q', 'a', 'b');
      await store.close('q', false);
      expect(await put('q', 'c')).toEqual({ stored: 0, lacking: 'CLOSED' });
      expect(await stat('q')).toMatchObject({ closed: true, waiting: 2 });
      expect(bodiesOf(await take('q'))).toEqual(['a', 'b']);
    });

    test('is drained when it is closed and nothing waits in it', async () => {
      await put('q', 'a', 'b');
      expect((await store.take('q', { count: 1, bytes: Infinity })).drained).toBe(false);
      await store.close('q', false);
      expect(await isDrained('q')).toBe(false);
      const { runs, drained } = await store.take('q', ALL);
      expect(bodiesOf(messagesOf(runs))).toEqual(['b']);
      expect(drained).toBe(true);
    });

    test('an open queue is not drained, however empty', async () => {
      await store.create('q', {});
      expect(await isDrained('q')).toBe(false);
    });

    test('is drained no more when a held message comes back', async () => {
      await put('q', 'a');
      await store.close('q', false);
      const held = await take('q');
      expect(await isDrained('q')).toBe(true);
      await settle('q', held, 'returned');
      expect(await isDrained('q')).toBe(false);
      expect(await waiting('q')).toEqual(['a']);
    });

    test('open undoes close', async () => {
      await put('q', 'a');
      await store.close('q', false);
      await store.open('q');
      expect(await put('q', 'b')).toEqual({ stored: 1 });
      expect(await stat('q')).toMatchObject({ closed: false, waiting: 2 });
    });

    test('close now drops what is waiting, and what is held when it comes back', async () => {
      await put('q', 'a', 'b', 'c', 'd');
      const [a, b] = (await take('q', 2)) as [Message, Message];
      await store.close('q', true);
      expect(await stat('q')).toMatchObject({ closed: true, waiting: 0, held: 2 });
      await settle('q', [a], 'returned');
      expect(await stat('q')).toMatchObject({ waiting: 0, held: 1, got: 0 });
      await settle('q', [b], 'done');
      expect(await stat('q')).toMatchObject({ waiting: 0, held: 0, got: 1 });
      await store.open('q');
      await put('q', 'e');
      expect(await waiting('q')).toEqual(['e']);
    });

    test('after close now and open, what is held comes back again', async () => {
      await put('q', 'a');
      const held = await take('q');
      await store.close('q', true);
      await store.open('q');
      await settle('q', held, 'returned');
      expect(await waiting('q')).toEqual(['a']);
    });

    test('close now and then close drops what comes back all the same', async () => {
      await put('q', 'a');
      const held = await take('q');
      await store.close('q', true);
      await store.close('q', false);
      await settle('q', held, 'returned');
      expect(await stat('q')).toMatchObject({ waiting: 0, held: 0 });
    });

    test('what is returned right after close now is dropped, right after open it is not', async () => {
      await put('q', 'a', 'b');
      const [a, b] = (await take('q')) as [Message, Message];
      await Promise.all([store.close('q', true), settle('q', [a], 'returned')]);
      expect(await stat('q')).toMatchObject({ waiting: 0, held: 1 });
      await Promise.all([store.open('q'), settle('q', [b], 'returned')]);
      expect(await waiting('q')).toEqual(['b']);
    });

    test('neither is possible where there is no queue', async () => {
      await expect(store.close('q', false)).rejects.toEqual(refusal('NOQUEUE'));
      await expect(store.close('q', true)).rejects.toEqual(refusal('NOQUEUE'));
      await expect(store.open('q')).rejects.toEqual(refusal('NOQUEUE'));
    });
  });

  describe(`${engine}: purge and remove`, () => {
    test('purge drops what is waiting and says how many that were', async () => {
      await put('q', 'a', 'b');
      await put('q', 'c');
      expect(await store.purge('q')).toBe(3);
      expect(await stat('q')).toMatchObject({ waiting: 0, put: 3, got: 0 });
      await put('q', 'd');
      expect(await waiting('q')).toEqual(['d']);
    });

    test.each(['fifo', 'lifo', 'priority'] as const)(
      'purge of a %s queue leaves what is held',
      async (kind) => {
        await given('q', { kind }, 'a', 'b', 'c');
        await put('q', 'd', 'e', 'f');
        const [b, e] = (await peek('q')).filter(({ body }) => 'be'.includes(body)) as [Message, Message];
        await store.takeThese('q', idsOf([b, e]));
        expect(await store.purge('q')).toBe(4);
        expect(await stat('q')).toMatchObject({ waiting: 0, held: 2 });
        await put('q', 'g');
        await settle('q', [e, b], 'returned');
        expect((await waiting('q')).sort()).toEqual(['b', 'e', 'g']);
        expect(await store.purge('q')).toBe(3);
      },
    );

    test('remove refuses a queue with messages that are waiting or held', async () => {
      await put('q', 'a');
      await expect(store.remove('q', false)).rejects.toEqual(refusal('NOTEMPTY'));
      const held = await take('q');
      await expect(store.remove('q', false)).rejects.toEqual(refusal('NOTEMPTY'));
      await settle('q', held, 'done');
      await store.remove('q', false);
      expect(await store.stat('q')).toBeUndefined();
    });

    test('remove takes the messages along when it is forced to', async () => {
      await put('q', 'a', 'b');
      await take('q', 1);
      await store.remove('q', true);
      expect(await store.list()).toEqual([]);
      expect(await store.take('q', ALL)).toEqual({ runs: [], drained: false });
    });

    test('a hold on a queue that was removed can be settled, to no effect', async () => {
      await put('q', 'a', 'b');
      const [a, b] = (await take('q')) as [Message, Message];
      await store.remove('q', true);
      await settle('q', [a], 'returned');
      await settle('q', [b], 'done');
      expect(await store.list()).toEqual([]);
    });

    test('a queue of the same name starts anew and knows nothing of the old ids', async () => {
      await given('q', { kind: 'lifo', maxsize: 9 }, 'old 1', 'old 2');
      const [one, two] = (await take('q')) as [Message, Message];
      await store.remove('q', true);
      await put('q', 'new');
      await settle('q', [one], 'returned');
      await settle('q', [two], 'done');
      expect(await store.takeThese('q', idsOf([one, two]))).toEqual([]);
      expect(await stat('q')).toMatchObject({
        kind: 'fifo',
        maxsize: 0,
        waiting: 1,
        held: 0,
        put: 1,
        got: 0,
      });
      const [fresh] = (await take('q')) as [Message];
      expect(fresh.id).toBeGreaterThan(Math.max(one.id, two.id));
    });

    test('neither is possible where there is no queue', async () => {
      await expect(store.purge('q')).rejects.toEqual(refusal('NOQUEUE'));
      await expect(store.remove('q', true)).rejects.toEqual(refusal('NOQUEUE'));
    });
  });

  describe(`${engine}: create and configure`, () => {
    test('create makes an empty queue with these settings', async () => {
      await store.create('q', { kind: 'priority', maxsize: 7 });
      expect(await store.list()).toEqual([
        {
          name: 'q',
          kind: 'priority',
          maxsize: 7,
          closed: false,
          waiting: 0,
          held: 0,
          put: 0,
          got: 0,
          oldestAt: undefined,
        },
      ]);
    });

    test('the same again changes nothing, also when it names less', async () => {
      await given('q', { kind: 'lifo', maxsize: 2 }, 'a');
      await store.create('q', { kind: 'lifo', maxsize: 2 });
      await store.create('q', { maxsize: 2 });
      await store.create('q', {});
      expect(await stat('q')).toMatchObject({ kind: 'lifo', maxsize: 2, waiting: 1 });
    });

    test('a named setting that is not the standing one DIFFERS', async () => {
      await store.create('q', { kind: 'lifo' });
      await expect(store.create('q', { kind: 'fifo' })).rejects.toEqual(refusal('DIFFERS'));
      await expect(store.create('q', { kind: 'lifo', maxsize: 1 })).rejects.toEqual(refusal('DIFFERS'));
      expect(await stat('q')).toMatchObject({ kind: 'lifo', maxsize: 0 });
    });

    test('configure changes what is named', async () => {
      await given('q', { maxsize: 1 }, 'a');
      await store.configure('q', { maxsize: 2 });
      expect(await put('q', 'b', 'c')).toEqual({ stored: 1, lacking: 'FULL' });
      await store.configure('q', { maxsize: 0 });
      expect(await put('q', 'c')).toEqual({ stored: 1 });
      expect(await stat('q')).toMatchObject({ kind: 'fifo', maxsize: 0 });
    });

    test('a limit below what is there leaves that, and gives no room', async () => {
      await put('q', 'a', 'b', 'c');
      await store.configure('q', { maxsize: 1 });
      expect(await put('q', 'd')).toEqual({ stored: 0, lacking: 'FULL' });
      expect(await waiting('q')).toEqual(['a', 'b', 'c']);
    });

    test('the kind can be changed while the queue is empty only, held messages counted', async () => {
      await put('q', 'a');
      await expect(store.configure('q', { kind: 'lifo' })).rejects.toEqual(refusal('NOTEMPTY'));
      const held = await take('q');
      await expect(store.configure('q', { kind: 'lifo' })).rejects.toEqual(refusal('NOTEMPTY'));
      await store.configure('q', { kind: 'fifo', maxsize: 9 });
      await settle('q', held, 'done');
      await store.configure('q', { kind: 'lifo' });
      await put('q', 'a', 'b');
      expect(bodiesOf(await take('q'))).toEqual(['b', 'a']);
      await settle('q', await take('q'), 'done');
    });

    test('there and back: each kind gives its own order', async () => {
      await given('q', { kind: 'lifo' }, 'a');
      await settle('q', await take('q'), 'done');
      await store.configure('q', { kind: 'priority' });
      await putAt('q', 2, 'two');
      await putAt('q', 1, 'one');
      const held = await take('q');
      expect(bodiesOf(held)).toEqual(['one', 'two']);
      await settle('q', held, 'done');
      await store.configure('q', { kind: 'fifo' });
      await put('q', 'c', 'd');
      expect(bodiesOf(await take('q'))).toEqual(['c', 'd']);
    });

    test('configure is not possible where there is no queue', async () => {
      await expect(store.configure('q', { maxsize: 1 })).rejects.toEqual(refusal('NOQUEUE'));
    });
  });

  describe(`${engine}: move`, () => {
    test('moves what waits to the end of the other queue, in order', async () => {
      await put('from', 'a', 'b');
      await put('from', 'c');
      await put('to', 'x');
      expect(await store.move('from', 'to')).toBe(3);
      expect(await waiting('to')).toEqual(['x', 'a', 'b', 'c']);
      expect(await stat('from')).toMatchObject({ waiting: 0, held: 0, put: 3, got: 0 });
      expect(await stat('to')).toMatchObject({ put: 4 });
    });

    test('makes the other queue as a put would, but not for nothing', async () => {
      await store.create('from', { kind: 'lifo' });
      expect(await store.move('from', 'to')).toBe(0);
      expect(await store.stat('to')).toBeUndefined();
      await put('from', 'a');
      expect(await store.move('from', 'to')).toBe(1);
      expect(await stat('to')).toMatchObject({ kind: 'fifo', waiting: 1 });
    });

    test('moves the first so many', async () => {
      await put('from', 'a', 'b', 'c');
      expect(await store.move('from', 'to', 2)).toBe(2);
      expect(await waiting('from')).toEqual(['c']);
      expect(await waiting('to')).toEqual(['a', 'b']);
      expect(await store.move('from', 'to', 5)).toBe(1);
    });

    test('moves from a lifo queue in the order in which they would be taken', async () => {
      await given('from', { kind: 'lifo' }, 'a', 'b', 'c');
      await store.move('from', 'to', 2);
      expect(await waiting('to')).toEqual(['c', 'b']);
      expect(await waiting('from')).toEqual(['a']);
    });

    test('priorities are kept from one priority queue to another, and else dropped', async () => {
      for (const name of ['from', 'to']) await store.create(name, { kind: 'priority' });
      await putAt('from', 2, 'two');
      await putAt('from', -1, 'less');
      await putAt('to', 1, 'one');
      await store.move('from', 'to');
      expect(await waiting('to')).toEqual(['less', 'one', 'two']);
      await store.move('to', 'plain');
      expect((await peek('plain')).map(({ body, priority }) => [body, priority])).toEqual([
        ['less', 0],
        ['one', 0],
        ['two', 0],
      ]);
    });

    test('when they were put is kept', async () => {
      await put('from', 'a', 'b');
      const before = await peek('from');
      await store.move('from', 'to');
      expect((await peek('to')).map((each) => each.putAt)).toEqual(before.map((each) => each.putAt));
      expect((await stat('to')).oldestAt).toBe(before[0]?.putAt);
    });

    test('held messages stay, and come back to where they were', async () => {
      await put('from', 'a', 'b', 'c');
      const held = await take('from', 1);
      expect(await store.move('from', 'to')).toBe(2);
      await settle('from', held, 'returned');
      expect(await waiting('from')).toEqual(['a']);
      expect(await waiting('to')).toEqual(['b', 'c']);
    });

    test('moves all or nothing: FULL where there is no room for all of them', async () => {
      await put('from', 'a', 'b', 'c');
      await given('to', { maxsize: 3 }, 'x');
      await expect(store.move('from', 'to')).rejects.toEqual(refusal('FULL'));
      expect(await waiting('from')).toEqual(['a', 'b', 'c']);
      expect(await waiting('to')).toEqual(['x']);
      expect(await store.move('from', 'to', 2)).toBe(2);
    });

    test('moves nothing to a full queue without a word', async () => {
      await store.create('from', {});
      await given('to', {}, 'a', 'b');
      await store.configure('to', { maxsize: 1 });
      expect(await store.move('from', 'to')).toBe(0);
      expect(await waiting('to')).toEqual(['a', 'b']);
    });

    test('a closed queue takes none, but gives', async () => {
      await put('from', 'a');
      await store.create('to', {});
      await store.close('to', false);
      await expect(store.move('from', 'to')).rejects.toEqual(refusal('CLOSED'));
      await store.open('to');
      await store.close('from', false);
      expect(await store.move('from', 'to')).toBe(1);
      expect(await waiting('to')).toEqual(['a']);
    });

    test.each([
      ['fifo', 2, ['c', 'a', 'b']],
      ['fifo', Infinity, ['a', 'b', 'c']],
      ['lifo', 2, ['b', 'c', 'a']],
      ['lifo', Infinity, ['a', 'b', 'c']],
    ] as const)('to itself, a %s queue puts the first %d at its end', async (kind, count, order) => {
      await given('q', { kind, maxsize: 3 }, 'a', 'b', 'c');
      expect(await store.move('q', 'q', count)).toBe(Math.min(3, count));
      expect(await waiting('q')).toEqual(order);
      expect((await stat('q')).waiting).toBe(3);
    });

    test.each(['fifo', 'lifo', 'priority'] as const)(
      'moves far more than 128 KiB from a %s queue, to another and to itself',
      async (kind) => {
        await store.create('from', { kind });
        const bodies = Array.from({ length: 3000 }, (_, i) => `${i}`.padEnd(100, '.'));
        const half = kind === 'priority' ? 1 : 0;
        await putAt('from', 0, ...bodies.slice(0, 1500));
        await putAt('from', half, ...bodies.slice(1500));
        const order = await waiting('from');
        expect(await store.move('from', 'from')).toBe(3000);
        expect(await waiting('from')).toEqual(kind === 'lifo' ? order.toReversed() : order);
        const now = await waiting('from');
        expect(await store.move('from', 'to')).toBe(3000);
        expect(await waiting('to')).toEqual(now);
      },
    );

    test('is not possible where there is no queue to move from', async () => {
      await expect(store.move('from', 'to')).rejects.toEqual(refusal('NOQUEUE'));
    });
  });

  describe(`${engine}: peek, stat and list`, () => {
    test('peek shows what a take would give, and takes nothing', async () => {
      await given('q', { kind: 'lifo' }, 'a', 'b', 'c');
      const shown = await peek('q', 2);
      expect(bodiesOf(shown)).toEqual(['c', 'b']);
      expect(await peek('q', 2)).toEqual(shown);
      expect(await take('q', 2)).toEqual(shown);
      expect(bodiesOf(await peek('q'))).toEqual(['a']);
    });

    test('peek is not possible where there is no queue, stat says so', async () => {
      await expect(store.peek('q', ALL)).rejects.toEqual(refusal('NOQUEUE'));
      expect(await store.stat('q')).toBeUndefined();
    });

    test('stat counts what waits, what is held, what was put and what was taken for good', async () => {
      await put('q', 'a', 'b', 'c', 'd');
      const held = await take('q', 3);
      await settle('q', held.slice(0, 1), 'done');
      await settle('q', held.slice(1, 2), 'returned');
      expect(await stat('q')).toMatchObject({ waiting: 2, held: 1, put: 4, got: 1 });
    });

    test('oldestAt is when the message was put that came first of those that wait', async () => {
      const before = Date.now();
      await given('q', { kind: 'priority' });
      expect((await stat('q')).oldestAt).toBeUndefined();
      await putAt('q', 9, 'a');
      const [first] = (await peek('q')) as [Message];
      expect(first.putAt).toBeGreaterThanOrEqual(before);
      expect(first.putAt).toBeLessThanOrEqual(Date.now());
      await putAt('q', 1, 'b');
      expect((await stat('q')).oldestAt).toBe(first.putAt);
      await take('q', 2);
      expect((await stat('q')).oldestAt).toBeUndefined();
    });

    test('list has every queue, by name', async () => {
      expect(await store.list()).toEqual([]);
      for (const name of ['b', 'a/b', 'a', 'B', 'a.b', '1']) await put(name, 'x');
      const names = (await store.list()).map(({ name }) => name);
      expect(names).toEqual(['1', 'B', 'a', 'a.b', 'a/b', 'b']);
      expect((await store.list())[0]).toEqual(await stat('1'));
    });
  });

  describe(`${engine}: onChange is called`, () => {
    const changes = async (step: () => Promise<unknown>) => {
      changed.length = 0;
      await step();
      return new Set(changed);
    };

    test('when messages were put', async () => {
      expect(await changes(() => put('q', 'a'))).toEqual(new Set(['q']));
    });

    test('when a take made room', async () => {
      await given('q', { maxsize: 1 }, 'a');
      expect(await changes(() => take('q'))).toContain('q');
    });

    test('when messages came back, or were done', async () => {
      await put('q', 'a', 'b');
      const [a, b] = (await take('q')) as [Message, Message];
      expect(await changes(() => settle('q', [a], 'returned'))).toContain('q');
      expect(await changes(() => settle('q', [b], 'done'))).toContain('q');
    });

    test('when what came back was dropped', async () => {
      await put('q', 'a');
      const held = await take('q');
      await store.close('q', true);
      expect(await changes(() => settle('q', held, 'returned'))).toContain('q');
    });

    test('when a queue was purged, closed, opened or removed', async () => {
      await put('q', 'a');
      expect(await changes(() => store.purge('q'))).toContain('q');
      expect(await changes(() => store.close('q', false))).toContain('q');
      expect(await changes(() => store.close('q', true))).toContain('q');
      expect(await changes(() => store.open('q'))).toContain('q');
      expect(await changes(() => store.remove('q', false))).toContain('q');
    });

    test('when a limit was changed', async () => {
      await given('q', { maxsize: 1 }, 'a');
      expect(await changes(() => store.configure('q', { maxsize: 2 }))).toContain('q');
    });

    test('for both queues of a move', async () => {
      await put('from', 'a');
      expect(await changes(() => store.move('from', 'to'))).toEqual(new Set(['from', 'to']));
    });

    test('never for a take that got nothing, or a put that stored nothing: who waits would try forever', async () => {
      await given('q', { maxsize: 1 }, 'a');
      expect(await changes(() => put('q', 'b'))).toEqual(new Set());
      await take('q');
      expect(await changes(() => take('q'))).toEqual(new Set());
      expect(await changes(() => store.peek('q', ALL))).toEqual(new Set());
      await store.close('q', false);
      expect(await changes(() => take('q'))).toEqual(new Set());
      expect(await changes(() => put('q', 'b'))).toEqual(new Set());
    });

    test('only once what it is about can be seen', async () => {
      const seen: Promise<QueueState | undefined>[] = [];
      const other = open((queue) => seen.push(other.stat(queue)));
      await other.put('q', packed('a', 'b'), { priority: 0 });
      expect(await Promise.all(seen)).toEqual([expect.objectContaining({ waiting: 2 })]);
      await other.end();
    });
  });
}
