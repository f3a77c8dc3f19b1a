import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { NOTHING, pack, splitAt } from '../../src/packed.ts';
import { DEFAULT_SETTINGS, type Settings } from '../../src/settings.ts';
import type { QueueState } from '../../src/store/queue-state.ts';
import { type Run, rangeOf, tokensOf } from '../../src/store/run.ts';
import type { Clock, Events, Outcome, Store } from '../../src/store/store.ts';
import { unreliable } from '../queue/unreliable-events.ts';
import { Random, seeds } from '../random.ts';
import { idContract } from './id-contract.ts';
import { ALL, bodiesOf, idsIn, idsOf, loaded, type Message, messagesOf, packed } from './messages.ts';

/**
 * The specification of a store (src/store/store.ts), to be run on every engine.
 *
 * @param open gives an empty store
 */
export function storeContract(engine: string, open: OpenEmpty): void {
  contract(engine, open);
  idContract(engine, open);
  // Messages are the same, whatever becomes of the events.
  const [seed] = seeds(0, 1) as [number];
  contract(`${engine}, its events unreliable (seed ${seed})`, open, new Random(seed));
}

export type OpenEmpty = (events: Events, clock: Clock) => Promise<Store>;

/** Looks whether something is due, each time that time passes, where the store has perhaps not told. */
const LOOKS = 20;

/** @param random decides what becomes of the events; undefined: all of them come at once */
function contract(engine: string, open: OpenEmpty, random?: Random): void {
  let store: Store;
  let changed: string[];
  /** The store's clock, and the time when it says that something is due. */
  let now: number;
  let due: number;

  beforeEach(async () => {
    changed = [];
    now = 1_700_000_000_000;
    due = Infinity;
    const events = {
      changed: (queue: string) => changed.push(queue),
      due: (milliseconds: number) => {
        due = Math.min(due, now + milliseconds);
      },
    };
    store = await open(random ? unreliable(events, random) : events, () => now);
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

    test('a message of several MiB comes back as it was put, moved or given up on', async () => {
      const body = Buffer.alloc(5 * 1024 * 1024, 'abcdefg');
      await store.create('q', { max_attempts: 1 });
      await store.put('q', pack([body, Buffer.from('small')]), { priority: 0 });
      const isThere = async (runs: readonly Run[]) => {
        const [large, small] = messagesOf(await loaded(runs)) as [Message, Message];
        expect(Buffer.from(large.body, 'latin1').equals(body)).toBe(true);
        expect(small.body).toBe('small');
      };
      await isThere(await store.peek('q', ALL));
      const { runs } = await store.lease('q', ALL, 1000);
      await isThere(runs);
      await store.settleLeases('q', tokensOf(runs), 'failed');
      await isThere(await store.peek('q.dead', ALL));
      await store.move('q.dead', 'other');
      await isThere((await store.take('other', ALL)).runs);
      expect(await store.stat('other')).toMatchObject({ held: 2, put: 2 });
    });

    test('a large message is put as others are: for room, with a key, and as what another lease brings', async () => {
      const large = pack([Buffer.alloc(2 * 1024 * 1024, 'x'), Buffer.alloc(3 * 1024 * 1024, 'y')]);
      const [one] = splitAt(large, 1);
      await store.create('q', { maxsize: 1 });
      expect(await store.put('q', large, { priority: 0 })).toEqual({ stored: 1, lacking: 'FULL' });
      expect(await store.put('q', large, { priority: 0 })).toEqual({ stored: 0, lacking: 'FULL' });
      expect(await store.put('r', one, { priority: 0, key: 'k' })).toEqual({ stored: 1 });
      expect(await store.put('r', one, { priority: 0, key: 'k' })).toEqual({ stored: 1 });
      expect(await store.stat('r')).toMatchObject({ put: 1 });
      const [lease] = tokensOf((await store.lease('q', ALL, 1000)).runs);
      const options = { priority: 0, done: { queue: 'q', lease: lease as string } };
      expect(await store.put('s', large, options)).toEqual({ stored: 2 });
      await expect(store.put('s', large, options)).rejects.toEqual(refusal('NOLEASE'));
      expect(await store.stat('q')).toMatchObject({ done: 1, leased: 0 });
      const bodies = bodiesOf(messagesOf(await loaded(await store.peek('s', ALL))));
      expect(bodies.map((body) => [body[0], body.length / 1024 ** 2])).toEqual([
        ['x', 2],
        ['y', 3],
      ]);
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
      expect(await store.take('q', ALL)).toMatchObject({ runs: [], drained: false, finished: true });
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

  describe(`${engine}: takeIds`, () => {
    test('takes those that are waiting, and ignores the others', async () => {
      await put('q', 'a', 'b', 'c', 'd');
      const [a, b, c, d] = (await peek('q')) as [Message, Message, Message, Message];
      await take('q', 1);
      const taken = await store.takeIds('q', [{ first: a.id, last: c.id }]);
      expect(idsIn(taken)).toEqual([b.id, c.id]);
      expect(await stat('q')).toMatchObject({ waiting: 1, held: 3 });
      await settle('q', [a, b], 'done');
      expect(idsIn(await store.takeIds('q', idsOf([a, b, c, d])))).toEqual([d.id]);
      await settle('q', [a, b, c, d], 'returned');
      expect(await waiting('q')).toEqual(['c', 'd']);
    });

    test('ignores the messages of other queues, ids that were never used, and queues that are not there', async () => {
      await put('q', 'a');
      await put('other', 'b');
      await put('q', 'c');
      const [a, c] = (await peek('q')) as [Message, Message];
      expect(idsIn(await store.takeIds('q', [{ first: 1, last: c.id + 1000 }]))).toEqual([a.id, c.id]);
      expect(await waiting('other')).toEqual(['b']);
      expect(await store.takeIds('nothing', [{ first: 1, last: 1000 }])).toEqual([]);
    });

    test('takes none twice when a range is named twice', async () => {
      await put('q', 'a', 'b');
      const [a, b] = (await peek('q')) as [Message, Message];
      const range = { first: a.id, last: b.id };
      expect(idsIn(await store.takeIds('q', [range, range]))).toEqual([a.id, b.id]);
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
      expect(await stat('q')).toMatchObject({ closed: 'now', waiting: 0, held: 2 });
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

  describe(`${engine}: pause and resume`, () => {
    test('nothing can be taken from a paused queue, held or on lease, until it is resumed', async () => {
      await put('q', 'a', 'b');
      await store.pause('q');
      expect(await take('q')).toEqual([]);
      expect(await lease('q')).toEqual([]);
      // Together with others, too.
      const [, taken, leased] = await Promise.all([put('q', 'c'), take('q'), lease('q')]);
      expect([taken, leased]).toEqual([[], []]);
      expect(await stat('q')).toMatchObject({ paused: true, waiting: 3, held: 0, leased: 0, got: 0 });
      await store.resume('q');
      expect(await stat('q')).toMatchObject({ paused: false });
      expect(bodiesOf([...(await take('q', 1)), ...(await lease('q', 1000, 5))])).toEqual(['a', 'b', 'c']);
    });

    test('steps that are asked for at once see it in their order', async () => {
      await put('q', 'a', 'b', 'c');
      const [first, , second, , third] = await Promise.all([
        lease('q'),
        store.pause('q'),
        lease('q'),
        store.resume('q'),
        lease('q'),
      ]);
      expect([first, second, third].map(bodiesOf)).toEqual([['a'], [], ['b']]);
    });

    test('all else goes on: puts, settling, delays, times to live, peek, move, purge, close', async () => {
      await given('q', { max_attempts: 1 }, 'a', 'b', 'c', 'd');
      const [a] = await take('q', 1);
      const [b, c] = tokens(await lease('q', 1000, 2)) as [string, string];
      await store.put('q', packed('later'), { priority: 0, delay: 100 });
      await store.put('q', packed('mortal'), { priority: 0, ttl: 100 });
      await store.pause('q');
      await settle('q', [a as Message], 'done');
      await store.settleLeases('q', [b], 'done');
      await store.extend('q', [c], 500);
      await pass(100);
      expect(await waiting('q')).toEqual(['d', 'later']);
      expect(await stat('q')).toMatchObject({ expired: 1, done: 2, leased: 1 });
      await pass(400);
      expect(await waiting('q.dead')).toEqual(['c']);
      expect(await store.move('q', 'other', 1)).toBe(1);
      expect(await store.purge('q')).toBe(1);
      await put('q', 'last');
      await store.close('q', false);
      expect(await stat('q')).toMatchObject({ paused: true, closed: true, waiting: 1 });
    });

    test('what is back waits there', async () => {
      await put('q', 'a', 'b', 'c');
      const held = await take('q', 1);
      const [b, c] = tokens(await lease('q', 1000, 2)) as [string, string];
      await store.pause('q');
      await settle('q', held, 'returned');
      await store.returnLeases('q', [b]);
      await store.settleLeases('q', [c], 'failed', 0);
      expect(await waiting('q')).toEqual(['a', 'b', 'c']);
      expect(await take('q')).toEqual([]);
    });

    test('it is drained as others are: when it is closed and nothing waits', async () => {
      await put('q', 'a');
      await store.pause('q');
      await store.close('q', false);
      expect(await store.take('q', ALL)).toMatchObject({ drained: false, finished: false });
      expect(await store.lease('q', ALL, 1000)).toMatchObject({ drained: false, finished: false });
      await store.purge('q');
      expect(await store.take('q', ALL)).toMatchObject({ drained: true, finished: true });
      expect(await store.lease('q', ALL, 1000)).toMatchObject({ drained: true, finished: true });
    });

    test('those that are acknowledged by id are taken: they were consumed before', async () => {
      await put('q', 'a');
      const ids = idsOf(await peek('q'));
      await store.pause('q');
      expect(idsIn(await store.takeIds('q', ids))).toHaveLength(1);
    });

    test('twice is once, and so is resuming what is not paused', async () => {
      await given('q', {}, 'a');
      await store.resume('q');
      await store.pause('q');
      await store.pause('q');
      await store.resume('q');
      expect(bodiesOf(await take('q'))).toEqual(['a']);
    });

    test('neither is possible where there is no queue; one of the same name later is not paused', async () => {
      await expect(store.pause('q')).rejects.toEqual(refusal('NOQUEUE'));
      await expect(store.resume('q')).rejects.toEqual(refusal('NOQUEUE'));
      await given('q', {});
      await store.pause('q');
      await store.remove('q', false);
      await put('q', 'a');
      expect(bodiesOf(await take('q'))).toEqual(['a']);
    });
  });

  describe(`${engine}: rename`, () => {
    test('a queue keeps all that it has under its new name, and the former one is that of no queue', async () => {
      await given('q', { kind: 'lifo', maxsize: 9, max_attempts: 3, retry_delay: 0 }, 'a', 'b', 'c');
      await store.settleLeases('q', tokens(await lease('q')), 'failed');
      await store.put('q', packed('later'), { priority: 0, delay: 500 });
      await store.put('q', packed('mortal'), { priority: 0, ttl: 700 });
      await store.pause('q');
      await store.close('q', false);
      const { name, dead_letter, ...before } = await stat('q');
      const messages = await peek('q');
      await store.rename('q', 'new');
      expect(await stat('new')).toEqual({ name: 'new', dead_letter: 'q.dead', ...before });
      expect(await peek('new')).toEqual(messages);
      expect(await store.stat('q')).toBeUndefined();
      expect(await store.names(undefined, 10)).toEqual(['new']);
      await store.resume('new');
      await pass(500);
      expect(bodiesOf(await take('new'))).toEqual(['mortal', 'later', 'c', 'b', 'a']);
      await settle('new', messages, 'returned');
      await pass(200);
      expect(await stat('new')).toMatchObject({ expired: 1, held: 1 });
    });

    test('a queue of the former name is another one', async () => {
      await put('q', 'a');
      await store.rename('q', 'new');
      await put('q', 'b');
      expect(bodiesOf(await take('new'))).toEqual(['a']);
      expect(bodiesOf(await take('q'))).toEqual(['b']);
      await expect(store.rename('q', 'new')).rejects.toEqual(refusal('EXISTS'));
    });

    test('there and back', async () => {
      await put('q', 'a');
      await store.rename('q', 'new');
      await store.rename('new', 'q');
      await put('q', 'b');
      expect(bodiesOf(await take('q'))).toEqual(['a', 'b']);
    });

    test('its dead-letter queue stays the one it was, by default too', async () => {
      await given('q', { max_attempts: 1, retry_delay: 0 }, 'a');
      await given('named', { max_attempts: 1, dead_letter: 'lost' }, 'b');
      await store.rename('q', 'q2');
      await store.rename('named', 'named2');
      expect(await stat('q2')).toMatchObject({ dead_letter: 'q.dead' });
      for (const queue of ['q2', 'named2']) await store.settleLeases(queue, await isLeased(queue), 'failed');
      expect([await waiting('q.dead'), await waiting('lost')]).toEqual([['a'], ['b']]);
    });

    test('queues that give up to it follow, those that do so by default too', async () => {
      const long = 'x'.repeat(195);
      for (const queue of ['lost.dead', 'free', `${long}.dead`]) await store.create(queue, {});
      for (const queue of [
        'lost',
        'named',
        'other',
        long,
        `${long}abc`,
        `${long}abd`,
        'x',
        `${long}`.slice(1),
      ])
        await given(
          queue,
          { max_attempts: 1, ...(queue === 'named' && { dead_letter: 'lost.dead' }) },
          queue,
        );
      await store.rename('lost.dead', 'a');
      await store.rename(`${long}.dead`, 'b');
      await store.rename('free', 'c');
      for (const { name } of await store.list())
        if (!['a', 'b', 'c'].includes(name)) await store.settleLeases(name, await isLeased(name), 'failed');
      expect((await waiting('a')).sort()).toEqual(['lost', 'named']);
      expect((await waiting('b')).sort()).toEqual([long, `${long}abc`, `${long}abd`].sort());
      expect(await waiting('c')).toEqual([]);
      expect((await store.names(undefined, 100)).filter((name) => name.endsWith('.dead'))).toEqual(
        ['other.dead', 'x.dead', `${long.slice(1)}.dead`].sort(),
      );
    });

    test('keys stay, those of its dead letters too', async () => {
      const putKey = (queue: string, key: string) => store.put(queue, packed(key), { priority: 0, key });
      await store.create('q', { max_attempts: 1 });
      await putKey('q', 'dead');
      await store.settleLeases('q', await isLeased('q'), 'failed');
      await putKey('q', 'k');
      await store.rename('q', 'new');
      for (const key of ['k', 'dead']) {
        await putKey('new', key);
        await putKey('q', key);
      }
      expect([await waiting('new'), await waiting('q'), await waiting('q.dead')]).toEqual([
        ['k'],
        ['k', 'dead'],
        ['dead'],
      ]);
    });

    test('is refused onto a queue that is there, itself too', async () => {
      await put('q', 'a');
      await put('r', 'b');
      for (const to of ['q', 'r']) await expect(store.rename('q', to)).rejects.toEqual(refusal('EXISTS'));
      expect([await waiting('q'), await waiting('r')]).toEqual([['a'], ['b']]);
    });

    test('is refused while something is held or on lease, and not while it is delayed', async () => {
      await put('q', 'a', 'b');
      const held = await take('q', 1);
      await expect(store.rename('q', 'new')).rejects.toEqual(refusal('BUSY'));
      await settle('q', held, 'returned');
      const [token] = (await isLeased('q')) as [string];
      await expect(store.rename('q', 'new')).rejects.toEqual(refusal('BUSY'));
      await store.settleLeases('q', [token], 'failed', 100);
      await store.rename('q', 'new');
      await pass(100);
      expect(await waiting('new')).toEqual(['a', 'b']);
    });

    test('is refused where there is no queue, and where it would give up to itself', async () => {
      await expect(store.rename('q', 'new')).rejects.toEqual(refusal('NOQUEUE'));
      await given('q', {});
      await given('named', { dead_letter: 'lost' });
      await expect(store.rename('q', 'q.dead')).rejects.toEqual(refusal('USAGE'));
      await expect(store.rename('named', 'lost')).rejects.toEqual(refusal('USAGE'));
      expect(await store.names(undefined, 10)).toEqual(['named', 'q']);
    });

    test('steps that are asked for at once see the names in their order', async () => {
      const results = await Promise.allSettled([
        put('q', 'a'),
        store.rename('q', 'r'),
        put('q', 'b'),
        take('r'),
        store.rename('r', 's'),
        store.rename('q', 's'),
        store.rename('s', 'q'),
      ]);
      expect(results.map(({ status }) => status === 'fulfilled')).toEqual([
        true,
        true,
        true,
        true,
        false,
        true,
        true,
      ]);
      expect(await waiting('q')).toEqual(['b']);
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
        await store.takeIds('q', idsOf([b, e]));
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
      expect(await store.take('q', ALL)).toMatchObject({ runs: [], drained: false, finished: true });
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
      expect(await store.takeIds('q', idsOf([one, two]))).toEqual([]);
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
    test('create makes an empty queue with these settings, and the default for others', async () => {
      const settings = {
        kind: 'priority',
        maxsize: 7,
        max_attempts: 2,
        retry_delay: 50,
        dead_letter: 'lost',
        max_leased: 3,
      } as const;
      const counts = { put: 0, got: 0, done: 0, failed: 0, dead: 0, expired: 0 };
      const empty = {
        closed: false,
        paused: false,
        waiting: 0,
        delayed: 0,
        held: 0,
        leased: 0,
        oldestAt: undefined,
        ...counts,
      };
      await store.create('q', settings);
      expect(await store.list()).toEqual([{ name: 'q', ...settings, ...empty }]);
      await store.create('other', {});
      expect(await stat('other')).toEqual({ name: 'other', ...DEFAULT_SETTINGS, ...empty });
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

    test.each(['fifo', 'lifo', 'priority'] as const)(
      'moves what waits among what is held, leased, delayed, expired, gone or has failed, of a %s queue',
      async (kind) => {
        await given('from', { kind, retry_delay: 0 });
        await store.put('from', packed('mortal'), { priority: 0, ttl: 1000 });
        for (const i of [0, 1, 2, 3]) await put('from', `a${i}`, `b${i}`, `c${i}`, `d${i}`);
        await store.put('from', packed('late'), { priority: 0, delay: 5000 });
        for (const i of [4, 5, 6]) await put('from', `e${i}`);
        await take('from', 2);
        await settle('from', await take('from', 3), 'done');
        const { runs } = await store.lease('from', { count: 5, bytes: Infinity }, 9000);
        const leases = tokensOf(runs);
        await store.settleLeases('from', leases.slice(1, 3), 'failed');
        now += 1000;
        const order = await waiting('from');
        const state = await stat('from');
        const ids = (await peek('from')).map(({ id }) => id);
        expect(await store.move('from', 'to', 4)).toBe(4);
        expect(await store.move('from', 'to')).toBe(order.length - 4);
        expect(await waiting('to')).toEqual(order);
        const moved = await peek('to');
        expect(moved.every(({ failures }) => failures === 0)).toBe(true);
        expect(Math.min(...moved.map(({ id }) => id))).toBeGreaterThan(Math.max(...ids));
        await store.runDue();
        const { held, leased, delayed } = state;
        expect(await stat('from')).toMatchObject({ waiting: 0, held, leased, delayed, put: state.put });
        expect(await stat('to')).toMatchObject({ waiting: order.length, put: order.length });
        await store.settleLeases('from', leases.slice(3), 'returned');
        expect((await waiting('from')).length).toBe(2);
        expect(bodiesOf(await take('to'))).toEqual(order);
      },
    );

    test('a time to live goes on', async () => {
      await store.put('from', packed('a'), { priority: 0, ttl: 1000 });
      await store.move('from', 'to');
      now += 1000;
      await store.runDue();
      expect(await stat('to')).toMatchObject({ waiting: 0, expired: 1 });
    });

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

    test('list has part of the queues: those behind a name, and so many', async () => {
      const names = async (...part: [after?: string, count?: number]) =>
        (await store.list(...part)).map(({ name }) => name);
      for (const name of ['d', 'b', 'a', 'c']) await put(name, 'x');
      expect(await names('b')).toEqual(['c', 'd']);
      expect(await names('bb', 1)).toEqual(['c']);
      expect(await names(undefined, 2)).toEqual(['a', 'b']);
      expect(await names('d', 2)).toEqual([]);
    });

    test('list tells of one moment', async () => {
      await put('q', 'x');
      const [listed] = await Promise.all([store.list(), store.remove('q', true)]);
      expect(listed.map(({ name }) => name)).toEqual(['q']);
    });

    test('rest changes nothing that can be seen', async () => {
      await put('q', 'a', 'b', 'c');
      await take('q', 1);
      await store.lease('q', { count: 1, bytes: 1 }, 1000);
      const before = await stat('q');
      await Promise.all([put('q', 'd'), store.rest(), put('q', 'e')]);
      expect(await stat('q')).toMatchObject({ ...before, waiting: 3, put: 5 });
      expect(await waiting('q')).toEqual(['c', 'd', 'e']);
    });
  });

  describe.skipIf(random)(`${engine}: onChange is called`, () => {
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

    test('when a queue was purged, closed, opened, paused, resumed or removed', async () => {
      await put('q', 'a');
      expect(await changes(() => store.pause('q'))).toContain('q');
      expect(await changes(() => take('q'))).toEqual(new Set());
      expect(await changes(() => lease('q'))).toEqual(new Set());
      expect(await changes(() => store.resume('q'))).toContain('q');
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

    test('for both names of a rename', async () => {
      await put('q', 'a');
      expect(await changes(() => store.rename('q', 'new'))).toEqual(new Set(['q', 'new']));
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
      const events = { changed: (queue: string) => seen.push(other.stat(queue)), due: () => {} };
      const other = await open(events, () => now);
      await other.put('q', packed('a', 'b'), { priority: 0 });
      expect(await Promise.all(seen)).toEqual([expect.objectContaining({ waiting: 2 })]);
      await other.end();
    });
  });
  const lease = async (queue: string, duration = 1000, count = 1) =>
    messagesOf((await store.lease(queue, { count, bytes: Infinity }, duration)).runs);
  const tokens = (messages: Message[]) => messages.map((message) => message.lease as string);
  const isLeased = async (queue: string) => tokens(await lease(queue));
  /** Lets time pass, and calls `runDue` at each time that the store asked for, as its user does. */
  const pass = async (milliseconds: number) => {
    const end = now + milliseconds;
    const every = random ? Math.ceil(milliseconds / LOOKS) : Infinity;
    const next = () => Math.min(due, random && now < end ? Math.min(now + every, end) : Infinity);
    for (let at = next(); at <= end; at = next()) {
      now = Math.max(now, at);
      due = Infinity;
      await store.runDue();
    }
    now = end;
  };

  describe(`${engine}: lease`, () => {
    test('large messages stand in order among small ones, come back, are delayed, expire and are purged', async () => {
      const letters = async (queue: string) =>
        bodiesOf(messagesOf(await loaded(await store.peek(queue, ALL)))).map((body) => body[0]);
      const large = (letter: string) => pack([Buffer.alloc(2 * 1024 * 1024, letter)]);
      await store.create('stack', { kind: 'lifo' });
      await store.create('by', { kind: 'priority' });
      for (const [priority, letter] of [
        [2, 'a'],
        [1, 'b'],
      ] as const) {
        for (const queue of ['q', 'stack']) {
          await store.put(queue, large(letter), { priority: 0 });
          await store.put(queue, packed(letter.toUpperCase()), { priority: 0 });
        }
        await store.put('by', large(letter), { priority });
      }
      expect(await letters('q')).toEqual(['a', 'A', 'b', 'B']);
      expect(await letters('stack')).toEqual(['B', 'b', 'A', 'a']);
      expect(await letters('by')).toEqual(['b', 'a']);
      await store.move('stack', 'q', 3);
      await store.move('by', 'stack');
      expect(await letters('q')).toEqual(['a', 'A', 'b', 'B', 'B', 'b', 'A']);
      expect(await letters('stack')).toEqual(['a', 'b', 'a']);
      const { runs } = await store.take('q', { count: 3, bytes: Infinity });
      expect(await letters('q')).toEqual(['B', 'B', 'b', 'A']);
      await store.settle('q', runs.map(rangeOf), 'returned');
      const [lease] = tokensOf((await store.lease('q', { count: 1, bytes: 1 }, 1000)).runs);
      await store.settleLeases('q', [lease as string], 'failed', 500);
      expect(await letters('q')).toEqual(['A', 'b', 'B', 'B', 'b', 'A']);
      await pass(500);
      expect(await letters('q')).toEqual(['a', 'A', 'b', 'B', 'B', 'b', 'A']);
      await store.put('mortal', large('m'), { priority: 0, ttl: 100 });
      await pass(200);
      expect(await stat('mortal')).toMatchObject({ waiting: 0, expired: 1 });
      expect(await store.purge('q')).toBe(7);
    });

    test('hides messages, in order, until they are done', async () => {
      await put('q', 'a', 'b', 'c');
      const messages = await lease('q', 1000, 2);
      expect(bodiesOf(messages)).toEqual(['a', 'b']);
      expect(await waiting('q')).toEqual(['c']);
      expect(await stat('q')).toMatchObject({ waiting: 1, leased: 2, held: 0, got: 2, done: 0 });
      await store.settleLeases('q', tokens(messages), 'done');
      await pass(5000);
      expect(await waiting('q')).toEqual(['c']);
      expect(await stat('q')).toMatchObject({ waiting: 1, leased: 0, put: 3, got: 2, done: 2, failed: 0 });
    });

    test.each(['fifo', 'lifo', 'priority'] as const)(
      'comes back to its place in a %s queue when it is returned',
      async (kind) => {
        await given('q', { kind }, 'a', 'b', 'c');
        const before = await waiting('q');
        const messages = await lease('q', 1000, 2);
        await put('q', 'd');
        await store.settleLeases('q', tokens(messages), 'returned');
        await store.settle('q', idsOf((await take('q')).filter(({ body }) => body === 'd')), 'done');
        await store.settle('q', idsOf(messages), 'returned');
        await store.settle('q', [{ first: 1, last: 100 }], 'returned');
        expect(await waiting('q')).toEqual(before);
        expect((await take('q')).map(({ failures }) => failures)).toEqual([0, 0, 0]);
        expect(await stat('q')).toMatchObject({ failed: 0 });
      },
    );

    test('runs out: its message is back at once, has failed once more, and the lease is no more', async () => {
      await put('q', 'a', 'b');
      const [token] = (await isLeased('q')) as [string];
      await pass(999);
      expect(await waiting('q')).toEqual(['b']);
      await pass(1);
      expect(await peek('q')).toMatchObject([
        { body: 'a', failures: 1 },
        { body: 'b', failures: 0 },
      ]);
      for (const outcome of ['done', 'returned', 'failed'] as const)
        await expect(store.settleLeases('q', [token], outcome)).rejects.toEqual(refusal('NOLEASE'));
      await expect(store.extend('q', [token], 1000)).rejects.toEqual(refusal('NOLEASE'));
      expect(await stat('q')).toMatchObject({ waiting: 2, leased: 0, failed: 1, done: 0 });
    });

    test('is extended from now on', async () => {
      await put('q', 'a');
      const leases = await isLeased('q');
      await pass(900);
      await store.extend('q', leases, 1000);
      await pass(999);
      expect(await stat('q')).toMatchObject({ waiting: 0, leased: 1 });
      await store.extend('q', leases, 10);
      await pass(10);
      expect(await stat('q')).toMatchObject({ waiting: 1, leased: 0, failed: 1 });
    });

    test('has a token of its own: an earlier one of the same message is no good', async () => {
      await put('q', 'a');
      const [first] = (await isLeased('q')) as [string];
      await pass(1000);
      const [second] = (await isLeased('q')) as [string];
      expect(second).not.toBe(first);
      await expect(store.settleLeases('q', [first], 'done')).rejects.toEqual(refusal('NOLEASE'));
      expect(await stat('q')).toMatchObject({ leased: 1 });
      await store.settleLeases('q', [second], 'done');
      expect(await stat('q')).toMatchObject({ leased: 0, done: 1 });
    });

    test('several are settled together or not at all', async () => {
      await put('q', 'a', 'b');
      const leases = tokens(await lease('q', 1000, 2));
      await expect(store.settleLeases('q', [...leases, '1.0'], 'done')).rejects.toEqual(refusal('NOLEASE'));
      expect(await stat('q')).toMatchObject({ leased: 2, done: 0 });
    });

    test('is of one queue, and of a queue that is there', async () => {
      await put('q', 'a');
      await put('other', 'b');
      const leases = await isLeased('q');
      await expect(store.settleLeases('other', leases, 'done')).rejects.toEqual(refusal('NOLEASE'));
      await expect(store.settleLeases('none', leases, 'done')).rejects.toEqual(refusal('NOQUEUE'));
      await expect(store.extend('none', leases, 1)).rejects.toEqual(refusal('NOQUEUE'));
      for (const token of ['', 'x', '1', '1.', '.1', '1.zz', '-1.0', '1.0.0', '9'.repeat(30)])
        await expect(store.settleLeases('q', [token], 'done')).rejects.toEqual(refusal('NOLEASE'));
    });

    test('a message on lease is not there to be taken, held, peeked, moved or purged, and makes room', async () => {
      await given('q', { maxsize: 2 }, 'a', 'b');
      const messages = await lease('q');
      expect(await put('q', 'c')).toEqual({ stored: 1 });
      expect(await store.takeIds('q', idsOf(messages))).toEqual([]);
      expect(await store.move('q', 'other')).toBe(2);
      expect(await store.purge('q')).toBe(0);
      await store.settle('q', idsOf(messages), 'done');
      expect(await stat('q')).toMatchObject({ waiting: 0, leased: 1 });
      await expect(store.remove('q', false)).rejects.toEqual(refusal('NOTEMPTY'));
      await store.settleLeases('q', tokens(messages), 'returned');
      expect(await waiting('q')).toEqual(['a']);
    });

    test('a message comes back beyond the limit', async () => {
      await given('q', { maxsize: 1 }, 'a');
      const leases = await isLeased('q');
      await put('q', 'b');
      await store.settleLeases('q', leases, 'returned');
      expect(await waiting('q')).toEqual(['a', 'b']);
      expect(await put('q', 'c')).toEqual({ stored: 0, lacking: 'FULL' });
    });

    test('leases hold nobody up in a closed queue, and their messages can still be got when they are back', async () => {
      await put('q', 'a');
      const leases = await isLeased('q');
      await store.close('q', false);
      expect(await store.lease('q', ALL, 1000)).toMatchObject({ runs: [], drained: true, finished: false });
      await store.settleLeases('q', leases, 'returned');
      const again = await isLeased('q');
      await store.settleLeases('q', again, 'done');
      expect(await store.take('q', ALL)).toMatchObject({ runs: [], drained: true, finished: true });
    });

    test.each(['returned', 'failed'] as const)(
      'what is %s to a queue that was closed now is dropped',
      async (outcome) => {
        await put('q', 'a', 'b', 'c');
        const leases = await isLeased('q');
        await store.close('q', true);
        expect(await stat('q')).toMatchObject({ waiting: 0, leased: 1 });
        await store.settleLeases('q', leases, outcome);
        expect(await stat('q')).toMatchObject({ waiting: 0, delayed: 0, leased: 0, dead: 0 });
        expect(await store.stat('q.dead')).toBeUndefined();
      },
    );

    test('a queue that is removed with messages on lease takes the leases with it', async () => {
      await put('q', 'a');
      const leases = await isLeased('q');
      await store.remove('q', true);
      await pass(10_000);
      await put('q', 'b');
      await expect(store.settleLeases('q', leases, 'done')).rejects.toEqual(refusal('NOLEASE'));
      expect(await waiting('q')).toEqual(['b']);
    });

    test('messages of one put can be on lease, held, done and waiting at once', async () => {
      await put('q', 'a', 'b', 'c', 'd', 'e');
      const leases = await isLeased('q');
      const held = await take('q', 1);
      const others = await lease('q', 5000, 1);
      await store.settle('q', idsOf(held), 'done');
      await store.settleLeases('q', leases, 'failed', 0);
      expect(await peek('q')).toMatchObject([
        { body: 'a', failures: 1 },
        { body: 'd', failures: 0 },
        { body: 'e', failures: 0 },
      ]);
      await store.settleLeases('q', tokens(others), 'returned');
      expect(await waiting('q')).toEqual(['a', 'c', 'd', 'e']);
      expect(await store.purge('q')).toBe(4);
      expect(await stat('q')).toMatchObject({ waiting: 0, leased: 0, held: 0 });
    });
  });

  describe(`${engine}: max_leased`, () => {
    const some = (queue: string, count: number, atOnce?: number) =>
      store.lease(queue, { count, bytes: Infinity, atOnce }, 1000);

    test('no more messages are on lease, and that is told; others can be taken without a lease', async () => {
      await given('q', { max_leased: 2 }, 'a', 'b', 'c', 'd', 'e');
      const first = await some('q', 5);
      expect(bodiesOf(messagesOf(first.runs))).toEqual(['a', 'b']);
      expect(first).toMatchObject({ isLimited: false, isPart: false });
      expect(await some('q', 1)).toMatchObject({
        runs: [],
        isLimited: true,
        drained: false,
        finished: false,
      });
      const held = await take('q', 2);
      expect(bodiesOf(held)).toEqual(['c', 'd']);
      expect(await store.take('q', { count: 0, bytes: 0 })).toMatchObject({ isLimited: false });
      const [a, b] = tokensOf(first.runs) as [string, string];
      await store.settleLeases('q', [a], 'done');
      expect(bodiesOf(messagesOf((await some('q', 5)).runs))).toEqual(['e']);
      expect(await some('q', 1)).toMatchObject({ runs: [], isLimited: false });
      await store.settleLeases('q', [b], 'failed', 0);
      await settle('q', held, 'returned');
      expect(bodiesOf(messagesOf((await some('q', 5)).runs))).toEqual(['b']);
      expect(await stat('q')).toMatchObject({ max_leased: 2, leased: 2, waiting: 2 });
    });

    test.each(['done', 'returned', 'failed', 'ran out', 'returned with its owner', 'done by a put'])(
      'a lease that is %s makes room for another one',
      async (how) => {
        await given('q', { max_leased: 1, retry_delay: 1e6 }, 'a', 'b');
        const [token] = tokensOf((await some('q', 1)).runs) as [string];
        if (how === 'ran out') await pass(1000);
        else if (how === 'returned with its owner') await store.returnLeases('q', [token]);
        else if (how === 'done by a put')
          await store.put('r', packed('x'), { priority: 0, done: { queue: 'q', lease: token } });
        else await store.settleLeases('q', [token], how as 'done');
        expect(bodiesOf(messagesOf((await some('q', 5)).runs))).toHaveLength(1);
        expect((await some('q', 1)).runs).toEqual([]);
      },
    );

    test('it can be changed: down interrupts nothing, up and 0 let more be leased', async () => {
      await put('q', ...'abcdefgh');
      const tokens = tokensOf((await some('q', 4)).runs);
      await store.configure('q', { max_leased: 2 });
      expect(await some('q', 1)).toMatchObject({ runs: [], isLimited: true });
      await store.extend('q', tokens, 2000);
      await store.settleLeases('q', tokens.slice(0, 2), 'done');
      expect((await some('q', 1)).isLimited).toBe(true);
      await store.configure('q', { max_leased: 3 });
      expect(bodiesOf(messagesOf((await some('q', 5)).runs))).toEqual(['e']);
      await store.configure('q', { max_leased: 0 });
      expect(bodiesOf(messagesOf((await some('q', 5)).runs))).toEqual(['f', 'g', 'h']);
    });

    test('messages that would be taken ahead are left there, and elsewhere taken', async () => {
      await given('q', { max_leased: 5 }, 'a', 'b', 'c');
      await put('r', 'a', 'b', 'c');
      expect(await some('q', 2, 0)).toMatchObject({ runs: [], isLimited: true });
      expect(bodiesOf(messagesOf((await some('q', 3, 1)).runs))).toEqual(['a']);
      expect(bodiesOf(messagesOf((await some('r', 2, 0)).runs))).toEqual(['a', 'b']);
      await store.pause('q');
      expect(await some('q', 2)).toMatchObject({ runs: [], isLimited: false });
    });

    test('it holds for a message that is named by its id, in a paused queue too', async () => {
      await given('q', { max_leased: 1 }, 'a', 'b', 'c');
      await store.pause('q');
      const [a, b] = (await peek('q')) as [Message, Message];
      const one = ({ id }: Message) => store.lease('q', { count: 1, bytes: 1, id }, 1000);
      expect(bodiesOf(messagesOf((await one(b)).runs))).toEqual(['b']);
      expect(await one(a)).toMatchObject({ runs: [], isLimited: true });
      expect(await one(b)).toMatchObject({ runs: [], isLimited: false });
      const { runs } = await store.take('q', { count: 1, bytes: 1, id: a.id });
      expect(bodiesOf(messagesOf(runs))).toEqual(['a']);
    });

    test('steps that are asked for at once keep to it', async () => {
      await given('q', { max_leased: 3 }, ...'abcdefgh');
      const all = await Promise.all(Array.from({ length: 5 }, () => some('q', 2)));
      expect(all.map(({ runs }) => messagesOf(runs).length)).toEqual([2, 1, 0, 0, 0]);
      expect(await stat('q')).toMatchObject({ leased: 3, waiting: 5 });
    });

    test('it is a setting as others are: 0 by default, and DIFFERS', async () => {
      await store.create('q', {});
      expect(await stat('q')).toMatchObject({ max_leased: 0 });
      await expect(store.create('q', { max_leased: 1 })).rejects.toEqual(refusal('DIFFERS'));
      await store.rename('q', 'r');
      await store.configure('r', { max_leased: 1 });
      await store.create('r', { max_leased: 1 });
    });
  });

  describe(`${engine}: a message that fails`, () => {
    const fail = async (queue: string, delay?: number) =>
      store.settleLeases(queue, await isLeased(queue), 'failed', delay);

    test('is delayed for as long as is said, and is back in its place on time', async () => {
      await put('q', 'a', 'b');
      await fail('q', 500);
      expect(await waiting('q')).toEqual(['b']);
      expect(await stat('q')).toMatchObject({ waiting: 1, delayed: 1, failed: 1, put: 2, done: 0 });
      await pass(499);
      expect(await waiting('q')).toEqual(['b']);
      await pass(1);
      expect(await peek('q')).toMatchObject([{ body: 'a', failures: 1 }, { body: 'b' }]);
      expect(await stat('q')).toMatchObject({ waiting: 2, delayed: 0 });
    });

    test('is delayed twice as long each time, with up to a quarter more, up to an hour', async () => {
      await given('q', { max_attempts: 0, retry_delay: 1000 }, 'a');
      let delay = 1000;
      for (let i = 0; i < 16; i++) {
        await fail('q');
        await pass(delay - 1);
        expect(await peek('q')).toEqual([]);
        await pass(delay / 4 + 1);
        expect(await peek('q')).toMatchObject([{ failures: i + 1 }]);
        delay = Math.min(delay * 2, 3_600_000);
      }
      expect(delay).toBe(3_600_000);
    });

    test('is back at once with a retry delay of 0', async () => {
      await given('q', { retry_delay: 0 }, 'a', 'b');
      await fail('q');
      expect(await waiting('q')).toEqual(['a', 'b']);
    });

    test('counts for the limit while it is delayed, and is dropped by purge and by close now', async () => {
      await given('q', { maxsize: 1 }, 'a');
      await fail('q', 500);
      expect(await put('q', 'b')).toEqual({ stored: 0, lacking: 'FULL' });
      expect(await store.purge('q')).toBe(1);
      expect(await put('q', 'c')).toEqual({ stored: 1 });
      await fail('q', 500);
      await store.close('q', true);
      await pass(1000);
      expect(await stat('q')).toMatchObject({ waiting: 0, delayed: 0, leased: 0 });
    });

    test('keeps a closed queue from being drained while it is delayed', async () => {
      await put('q', 'a');
      await fail('q', 500);
      await store.close('q', false);
      expect(await store.take('q', ALL)).toMatchObject({ runs: [], drained: false, finished: false });
      await pass(500);
      expect(bodiesOf(await take('q'))).toEqual(['a']);
      expect(await store.take('q', ALL)).toMatchObject({ drained: true, finished: false });
    });

    test('goes to the dead-letter queue after so many attempts, as if none had failed', async () => {
      await given('q', { max_attempts: 3, kind: 'priority' });
      await putAt('q', 7, 'a');
      const [{ putAt: before }] = (await peek('q')) as [Message];
      await fail('q', 0);
      await pass(1000);
      await isLeased('q');
      await pass(1000);
      expect(await peek('q')).toMatchObject([{ failures: 2 }]);
      expect(await store.stat('q.dead')).toBeUndefined();
      await fail('q', 5000);
      expect(await stat('q')).toMatchObject({
        waiting: 0,
        delayed: 0,
        leased: 0,
        failed: 3,
        dead: 1,
        done: 0,
      });
      expect(await peek('q.dead')).toMatchObject([{ body: 'a', failures: 0, priority: 0, putAt: before }]);
      expect(await stat('q.dead')).toMatchObject({ kind: 'fifo', waiting: 1, put: 1 });
    });

    test('goes to the queue that was named, though it is full or closed, with its priority', async () => {
      await given('dead', { kind: 'priority', maxsize: 1 });
      await putAt('dead', 9, 'x');
      await store.close('dead', false);
      await given('q', { max_attempts: 1, dead_letter: 'dead', kind: 'priority' });
      await putAt('q', 3, 'a');
      await fail('q');
      expect(await peek('dead')).toMatchObject([
        { body: 'a', priority: 3 },
        { body: 'x', priority: 9 },
      ]);
    });

    test('stays in a queue that was closed now, also when somebody had it and it comes back', async () => {
      await given('dead', {}, 'x');
      await store.close('dead', true);
      await given('q', { max_attempts: 1, dead_letter: 'dead' }, 'a');
      await fail('q');
      expect(await stat('dead')).toMatchObject({ closed: true, waiting: 1 });
      await settle('dead', await take('dead'), 'returned');
      expect(await waiting('dead')).toEqual(['a']);
    });

    test('a lease that runs out counts, and can be the last', async () => {
      await given('q', { max_attempts: 1 }, 'a');
      await isLeased('q');
      await pass(1000);
      expect(await waiting('q.dead')).toEqual(['a']);
      expect(await stat('q')).toMatchObject({ failed: 1, dead: 1 });
    });

    test('is tried for ever when there is no limit', async () => {
      await given('q', { max_attempts: 0, retry_delay: 0 }, 'a');
      for (let i = 0; i < 20; i++) await fail('q');
      expect(await peek('q')).toMatchObject([{ failures: 20 }]);
    });

    test('is put back to work by move, as if it had never failed', async () => {
      await given('q', { max_attempts: 1 }, 'a', 'b');
      await fail('q');
      expect(await store.move('q.dead', 'q')).toBe(1);
      expect(await peek('q')).toMatchObject([
        { body: 'b', failures: 0 },
        { body: 'a', failures: 0 },
      ]);
    });

    test('a queue cannot be its own dead-letter queue', async () => {
      await expect(store.create('q', { dead_letter: 'q' })).rejects.toEqual(refusal('USAGE'));
      await given('q', {});
      await expect(store.configure('q', { dead_letter: 'q' })).rejects.toEqual(refusal('USAGE'));
      await store.create('q', { dead_letter: 'q.dead' });
      await store.configure('q', { dead_letter: 'other' });
      await expect(store.create('q', { dead_letter: 'q.dead' })).rejects.toEqual(refusal('DIFFERS'));
    });

    test('the longest name has a dead-letter queue with a name', async () => {
      const name = 'q'.repeat(200);
      await given(name, { max_attempts: 1 }, 'a');
      await fail(name);
      expect(await waiting(`${'q'.repeat(195)}.dead`)).toEqual(['a']);
    });
  });

  describe(`${engine}: a delay`, () => {
    const later = (queue: string, delay: number, ...bodies: string[]) =>
      store.put(queue, packed(...bodies), { priority: 0, delay });

    test('hides messages until it is over, and not longer', async () => {
      await later('q', 500, 'a', 'b');
      await put('q', 'c');
      expect(await waiting('q')).toEqual(['c']);
      expect(await stat('q')).toMatchObject({ waiting: 1, delayed: 2, put: 3 });
      await pass(499);
      expect(await waiting('q')).toEqual(['c']);
      changed = [];
      await pass(1);
      if (random === undefined) expect(changed).toContain('q');
      expect(await waiting('q')).toEqual(['a', 'b', 'c']);
      expect(await stat('q')).toMatchObject({ waiting: 3, delayed: 0 });
    });

    test.each(['lifo', 'priority'] as const)('%s: what was delayed takes its place', async (kind) => {
      await given('q', { kind }, 'a');
      await later('q', 300, 'b');
      await put('q', 'c');
      await later('q', 200, 'd');
      await pass(200);
      expect(await waiting('q')).toEqual(kind === 'lifo' ? ['d', 'c', 'a'] : ['a', 'c', 'd']);
      await pass(100);
      expect(await waiting('q')).toEqual(kind === 'lifo' ? ['d', 'c', 'b', 'a'] : ['a', 'b', 'c', 'd']);
    });

    test('of 0 is none', async () => {
      await later('q', 0, 'a');
      expect(await waiting('q')).toEqual(['a']);
    });

    test('counts for the limit', async () => {
      await given('q', { maxsize: 2 });
      expect(await later('q', 500, 'a', 'b', 'c')).toEqual({ stored: 2, lacking: 'FULL' });
      expect(await put('q', 'd')).toEqual({ stored: 0, lacking: 'FULL' });
    });

    test('each message is due at its time, whatever the order of the puts', async () => {
      for (const delay of [300, 100, 200]) await later('q', delay, String(delay));
      const seen: string[] = [];
      for (let i = 0; i < 3; i++) {
        await pass(100);
        const [message] = (await take('q')) as [Message];
        seen.push(message.body);
        await store.settle('q', idsOf([message]), 'done');
      }
      expect(seen).toEqual(['100', '200', '300']);
    });
  });

  describe(`${engine}: a time to live`, () => {
    const mortal = (ttl: number, ...bodies: string[]) =>
      store.put('q', packed(...bodies), { priority: 0, ttl });

    test('drops what was not taken in time, and counts it', async () => {
      await mortal(500, 'a', 'b');
      await put('q', 'c');
      await pass(499);
      expect(await waiting('q')).toEqual(['a', 'b', 'c']);
      await pass(1);
      expect(await waiting('q')).toEqual(['c']);
      expect(await stat('q')).toMatchObject({ waiting: 1, expired: 2, put: 3, done: 0, got: 0 });
    });

    test('a move of nothing but what has expired makes no queue', async () => {
      await mortal(500, 'a');
      now += 500;
      expect(await store.move('q', 'to')).toBe(0);
      expect(await store.stat('to')).toBeUndefined();
    });

    test('nothing comes out that has expired, though nobody called runDue', async () => {
      await mortal(500, 'a');
      await put('q', 'b');
      now += 500;
      expect(await waiting('q')).toEqual(['b']);
      expect(bodiesOf(await lease('q', 1000, 5))).toEqual(['b']);
      expect(await take('q')).toEqual([]);
    });

    test('makes room', async () => {
      await given('q', { maxsize: 1 });
      await mortal(500, 'a');
      changed = [];
      await pass(500);
      if (random === undefined) expect(changed).toContain('q');
      expect(await put('q', 'b')).toEqual({ stored: 1 });
    });

    test.each(['hold', 'lease'] as const)(
      'does not end a %s, but what comes back too late is dropped',
      async (how) => {
        await mortal(500, 'a', 'b', 'c');
        const messages = how === 'hold' ? await take('q', 2) : await lease('q', 10_000, 2);
        await pass(500);
        expect(await stat('q')).toMatchObject({ waiting: 0, expired: 1 });
        const [first, second] = messages as [Message, Message];
        if (how === 'hold') {
          await store.settle('q', idsOf([first]), 'done');
          await store.settle('q', idsOf([second]), 'returned');
        } else {
          await store.settleLeases('q', tokens([first]), 'done');
          await store.settleLeases('q', tokens([second]), 'failed', 100);
        }
        expect(await stat('q')).toMatchObject({
          waiting: 0,
          delayed: 0,
          held: 0,
          leased: 0,
          done: 1,
          expired: 2,
        });
      },
    );

    test('goes on while a message is delayed, and goes with it to another queue', async () => {
      await store.put('q', packed('a'), { priority: 0, ttl: 500, delay: 400 });
      await store.put('q', packed('b'), { priority: 0, ttl: 300, delay: 400 });
      await pass(400);
      expect(await waiting('q')).toEqual(['a']);
      await store.move('q', 'other');
      await pass(100);
      expect(await stat('other')).toMatchObject({ waiting: 0, expired: 1 });
      expect(await stat('q')).toMatchObject({ expired: 1 });
    });

    test('does not matter to the dead', async () => {
      await store.create('q', { max_attempts: 1 });
      await mortal(500, 'a');
      await store.settleLeases('q', await isLeased('q'), 'failed');
      await pass(10_000);
      expect(await waiting('q.dead')).toEqual(['a']);
    });
  });

  describe(`${engine}: a key`, () => {
    const putKey = (queue: string, key: string, body: string) =>
      store.put(queue, packed(body), { priority: 0, key });

    test('a put with the key of an unfinished message does nothing, and succeeds', async () => {
      expect(await putKey('q', 'k', 'a')).toEqual({ stored: 1 });
      expect(await putKey('q', 'k', 'b')).toEqual({ stored: 1 });
      await putKey('q', 'other', 'c');
      await putKey('other', 'k', 'd');
      expect(await waiting('q')).toEqual(['a', 'c']);
      expect(await waiting('other')).toEqual(['d']);
      expect(await stat('q')).toMatchObject({ put: 2 });
    });

    test('it may be held, on lease or delayed, and the queue full', async () => {
      await given('q', { maxsize: 1 });
      await putKey('q', 'k', 'a');
      expect(await putKey('q', 'k', 'b')).toEqual({ stored: 1 });
      const [held] = (await take('q')) as [Message];
      await putKey('q', 'k', 'b');
      await store.settle('q', idsOf([held]), 'returned');
      const leases = await isLeased('q');
      await putKey('q', 'k', 'b');
      await store.settleLeases('q', leases, 'failed', 500);
      await putKey('q', 'k', 'b');
      await pass(500);
      expect(await waiting('q')).toEqual(['a']);
    });

    /** Puts another message with the key, and answers whether the key was held. */
    const isHeld = async (queue = 'q', key = 'k') => {
      const before = (await store.stat(queue))?.put ?? 0;
      expect(await putKey(queue, key, 'probe')).toEqual({ stored: 1 });
      return (await stat(queue)).put === before;
    };
    const giveUp = async (queue: string) => store.settleLeases(queue, await isLeased(queue), 'failed');

    test.each<[string, () => Promise<unknown>]>([
      ['got', async () => store.settle('q', idsOf(await take('q')), 'done')],
      ['done', async () => store.settleLeases('q', await isLeased('q'), 'done')],
      ['purged', () => store.purge('q')],
      ['dropped by close', () => store.close('q', true).then(() => store.open('q'))],
      ['moved to another queue', () => store.move('q', 'other')],
      ['removed with its queue', () => store.remove('q', true)],
    ])('ends when its message is %s', async (_, end) => {
      await putKey('q', 'k', 'a');
      await end();
      expect(await isHeld()).toBe(false);
      expect(await isHeld()).toBe(true);
    });

    test('ends when its message has expired', async () => {
      await store.put('q', packed('a'), { priority: 0, key: 'k', ttl: 500 });
      await pass(500);
      expect(await isHeld()).toBe(false);
    });

    test('is not that of a queue to which its message is moved', async () => {
      await putKey('q', 'k', 'a');
      await putKey('other', 'k', 'b');
      await store.move('q', 'other');
      expect(await waiting('other')).toEqual(['b', 'a']);
      await store.settle('other', idsOf(await take('other', 1)), 'done');
      expect(await isHeld('other')).toBe(false);
    });

    test('stays when its message is moved within its queue', async () => {
      await putKey('q', 'k', 'a');
      await put('q', 'b');
      await store.move('q', 'q', 1);
      expect(await waiting('q')).toEqual(['b', 'a']);
      expect(await isHeld()).toBe(true);
    });

    test('is held while its message is a dead letter: night after night, one copy', async () => {
      await given('backup', { max_attempts: 1 });
      for (let night = 0; night < 3; night++) {
        expect(await putKey('backup', 'nightly', 'x')).toEqual({ stored: 1 });
        await giveUp('backup');
      }
      expect(await waiting('backup.dead')).toEqual(['x']);
      expect(await stat('backup')).toMatchObject({ put: 1, dead: 1 });
      // It is no key of the queue where the dead letter stands, though.
      expect(await isHeld('backup.dead', 'nightly')).toBe(false);
      expect(await isHeld('backup', 'nightly')).toBe(true);
    });

    test('of a dead letter is held whatever the dead-letter queue is by then', async () => {
      await given('q', { max_attempts: 1, dead_letter: 'first' });
      await putKey('q', 'k', 'a');
      await giveUp('q');
      await store.configure('q', { dead_letter: 'second' });
      expect(await isHeld()).toBe(true);
      // Given up on once more, it stands in a third queue.
      await store.configure('first', { max_attempts: 1 });
      await giveUp('first');
      expect(await waiting('first.dead')).toEqual(['a']);
      expect(await isHeld()).toBe(true);
      await store.move('first.dead', 'q');
      expect(await isHeld()).toBe(true);
      expect(await waiting('q')).toEqual(['a']);
    });

    test('of a dead letter stays when that is moved back, and when it is moved within its queue', async () => {
      await given('q', { max_attempts: 1 });
      await putKey('q', 'k', 'a');
      await giveUp('q');
      await store.move('q.dead', 'q.dead');
      expect(await isHeld()).toBe(true);
      await store.move('q.dead', 'q');
      expect(await isHeld()).toBe(true);
      expect(await waiting('q')).toEqual(['a']);
      await store.settleLeases('q', await isLeased('q'), 'done');
      expect(await isHeld()).toBe(false);
    });

    test.each<[string, () => Promise<unknown>]>([
      ['got', async () => store.settle('q.dead', idsOf(await take('q.dead')), 'done')],
      ['done', async () => store.settleLeases('q.dead', await isLeased('q.dead'), 'done')],
      ['purged', () => store.purge('q.dead')],
      ['moved elsewhere', () => store.move('q.dead', 'other')],
      [
        'moved elsewhere, and then back',
        () => store.move('q.dead', 'other').then(() => store.move('other', 'q')),
      ],
      ['removed with the dead-letter queue', () => store.remove('q.dead', true)],
      ['left without its queue', () => store.remove('q', true)],
    ])('of a dead letter ends when that is %s', async (_, end) => {
      await given('q', { max_attempts: 1 });
      await putKey('q', 'k', 'a');
      await giveUp('q');
      await end();
      expect(await isHeld()).toBe(false);
      expect(await isHeld()).toBe(true);
    });

    test('of a queue that was removed is no key of later ones', async () => {
      for (const queue of ['a', 'b', 'c']) {
        await given(queue, { max_attempts: 1 });
        await putKey(queue, 'k', queue);
        await giveUp(queue);
        await store.remove(queue, false);
      }
      for (const queue of ['a', 'd', 'e', 'b', 'c']) expect(await isHeld(queue)).toBe(false);
      // Messages that were left behind belong to no queue any more, nor does their origin.
      await store.move('a.dead', 'a');
      expect(await waiting('a')).toEqual(['probe', 'a']);
      await store.settle('a', idsOf(await take('a', 1)), 'done');
      expect(await isHeld('a')).toBe(false);
    });

    test('that is held lets a client go on, and a lease be done', async () => {
      await putKey('q', 'k', 'a');
      const again = () =>
        store.put('q', packed('b'), { priority: 0, key: 'k', client: { id: 'x', index: 0 } });
      expect(await again()).toEqual({ stored: 1 });
      expect(await store.stored('x')).toBe(1);
      await put('in', 'c');
      const [lease] = (await isLeased('in')) as [string];
      const instead = { priority: 0, key: 'k', done: { queue: 'in', lease } };
      expect(await store.put('q', packed('c'), instead)).toEqual({ stored: 1 });
      expect(await stat('in')).toMatchObject({ leased: 0, done: 1 });
      // An answer that was given once stays true.
      await store.purge('q');
      expect(await again()).toEqual({ stored: 1 });
      expect(await waiting('q')).toEqual([]);
    });

    test('goes on to the message that is put where the one that has it is done', async () => {
      await putKey('q', 'k', 'a');
      const [lease] = (await isLeased('q')) as [string];
      const instead = { priority: 0, key: 'k', done: { queue: 'q', lease } };
      expect(await store.put('q', packed('b'), instead)).toEqual({ stored: 1 });
      expect(await waiting('q')).toEqual(['b']);
      expect(await isHeld()).toBe(true);
    });
  });

  describe(`${engine}: put with a lease that is done by it`, () => {
    const putInstead = (queue: string, lease: string, ...bodies: string[]) =>
      store.put(queue, packed(...bodies), { priority: 0, done: { queue: 'q', lease } });

    test('does both', async () => {
      await put('q', 'a');
      const [token] = (await isLeased('q')) as [string];
      expect(await putInstead('out', token, 'x', 'y')).toEqual({ stored: 2 });
      expect(await waiting('out')).toEqual(['x', 'y']);
      expect(await stat('q')).toMatchObject({ leased: 0, done: 1 });
    });

    test('does neither when the lease is no more', async () => {
      await put('q', 'a');
      const [token] = (await isLeased('q')) as [string];
      await pass(1000);
      await expect(putInstead('out', token, 'x')).rejects.toEqual(refusal('NOLEASE'));
      expect(await store.stat('out')).toBeUndefined();
      expect(await waiting('q')).toEqual(['a']);
    });

    test('does neither when the queue is full or closed; where there is room it takes all', async () => {
      await put('q', 'a');
      const [token] = (await isLeased('q')) as [string];
      await given('out', { maxsize: 2 }, '1', '2');
      expect(await putInstead('out', token, 'x', 'y', 'z')).toEqual({ stored: 0, lacking: 'FULL' });
      expect(await stat('q')).toMatchObject({ leased: 1 });
      await store.close('out', false);
      expect(await putInstead('out', token, 'x')).toEqual({ stored: 0, lacking: 'CLOSED' });
      expect(await stat('q')).toMatchObject({ leased: 1 });
      await store.open('out');
      await store.settle('out', idsOf(await take('out', 1)), 'done');
      expect(await putInstead('out', token, 'x', 'y', 'z')).toEqual({ stored: 3 });
      expect(await stat('out')).toMatchObject({ waiting: 4 });
    });

    test('can put into the queue that the lease is of', async () => {
      await put('q', 'a');
      const [token] = (await isLeased('q')) as [string];
      await putInstead('q', token, 'b', 'c');
      expect(await waiting('q')).toEqual(['b', 'c']);
      expect(await stat('q')).toMatchObject({ leased: 0, put: 3, done: 1 });
    });
  });

  describe(`${engine}: a step that is asked for again`, () => {
    const seq = (seq: number, acked = 0) => ({ client: 'c', seq, acked });

    test('happens once, and gives the same answer', async () => {
      await given('q', { max_attempts: 1 }, 'a', 'b', 'c', 'd', 'e');
      const [a, b, c] = tokens(await lease('q', 10_000, 3)) as [string, string, string];
      const steps: (() => Promise<unknown>)[] = [
        () => store.settleLeases('q', [a], 'failed', 0, seq(1)),
        () => store.settleLeases('q', [b], 'done', undefined, seq(2)),
        () => store.put('out', packed('x'), { priority: 0, done: { queue: 'q', lease: c }, once: seq(3) }),
        () => store.move('q', 'other', 1, seq(4)),
        () => store.pause('q', seq(8)),
        () => store.resume('q', seq(9)),
        () => store.rename('q', 'r', seq(10)),
        () => store.rename('r', 'q', seq(11)),
        () => store.purge('q', seq(5)),
        () => store.remove('q', true, seq(6)),
      ];
      const answers = [];
      for (const step of steps) {
        answers.push(await step());
        const before = await store.list();
        expect(await step()).toEqual(answers.at(-1));
        expect(await store.list()).toEqual(before);
      }
      expect(answers).toEqual([1, 0, { stored: 1 }, 1, ...Array(4).fill(undefined), 1, undefined]);
      // At the same time, and when much else has happened.
      await put('q', 'f', 'g');
      expect(await Promise.all(steps.map((step) => step()))).toEqual(answers);
      const again = () => store.move('q', 'other', 1, seq(7));
      expect(await Promise.all([again(), again()])).toEqual([1, 1]);
      expect(await waiting('q')).toEqual(['g']);
      expect(await stat('q')).toMatchObject({ paused: false });
      expect(await waiting('other')).toEqual(['d', 'f']);
    });

    test('is another one when its number or its client is', async () => {
      await put('q', 'a', 'b', 'c', 'd');
      await store.move('q', 'other', 1, seq(1));
      await store.move('q', 'other', 1, seq(2));
      await store.move('q', 'other', 1, { client: 'd', seq: 1, acked: 0 });
      await store.move('q', 'other', 1);
      expect(await waiting('q')).toEqual([]);
    });

    test('has not happened when it was refused', async () => {
      await expect(store.move('q', 'other', 1, seq(1))).rejects.toEqual(refusal('NOQUEUE'));
      await put('q', 'a', 'b');
      expect(await store.move('q', 'other', 1, seq(1))).toBe(1);
      await given('full', { maxsize: 1 }, 'x');
      const [lease] = (await isLeased('q')) as [string];
      const into = () =>
        store.put('full', packed('y'), { priority: 0, done: { queue: 'q', lease }, once: seq(2) });
      expect(await into()).toEqual({ stored: 0, lacking: 'FULL' });
      await store.purge('full');
      expect(await into()).toEqual({ stored: 1 });
      expect(await into()).toEqual({ stored: 1 });
      expect(await waiting('full')).toEqual(['y']);
    });

    test('is forgotten when a later one says that it was answered, or the client is', async () => {
      await put('q', 'a', 'b', 'c', 'd', 'e');
      const move = (n: number, acked: number) => store.move('q', 'other', 1, seq(n, acked));
      await move(1, 1);
      await move(2, 1);
      await move(1, 1);
      expect(await waiting('other')).toEqual(['a', 'b']);
      await move(3, 2);
      await move(1, 1);
      await move(2, 1);
      expect(await waiting('other')).toEqual(['a', 'b', 'c', 'd']);
      store.forget('c');
      await put('any', 'x');
      await move(3, 0);
      expect(await waiting('q')).toEqual([]);
    });
  });

  test(`${engine}: an owner settles what it has, and nothing is reserved in a store that has had no other daemon`, async () => {
    expect(await store.reserved()).toEqual([]);
    await put('q', 'a', 'b', 'c', 'd');
    const one = { count: 1, bytes: Infinity };
    const [a, c] = [await store.take('q', one, 'x'), await store.lease('q', one, 1000, 'x')];
    const [lease] = tokens(messagesOf(c.runs));
    await store.settle('q', a.runs.map(rangeOf), 'done', 'x');
    await store.extend('q', [lease as string], 1000, { owner: 'y' });
    await store.extend('q', [lease as string], 1000, { owner: undefined });
    expect(await store.settleLeases('q', [lease as string], 'returned')).toBe(0);
    store.gaveBack('x');
    const found = await store.takeIds('q', [{ first: 1, last: 3 }], 'y');
    expect(idsIn(found).length).toBe(2);
    await store.settle('q', found, 'returned', 'y');
    store.gaveBack('y');
    expect(await waiting('q')).toEqual(['b', 'c', 'd']);
    expect(store.isInPlace()).toBe(true);
  });

  test(`${engine}: how many messages of a client are stored`, async () => {
    expect(await store.stored('x')).toBe(0);
    await given('q', { maxsize: 3 });
    await putAs('x', 0, 'q', 'a', 'b');
    expect(await store.stored('x')).toBe(2);
    await putAs('x', 2, 'q', 'c', 'd');
    expect(await store.stored('x')).toBe(3);
    expect(await store.stored('y')).toBe(0);
  });
}
