import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { MqError } from '../../src/errors.ts';
import type { Taken } from '../../src/queue/getters.ts';
import type { Owner } from '../../src/queue/owner.ts';
import { Queues } from '../../src/queue/queues.ts';
import type { Range } from '../../src/range.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import type { QueueState } from '../../src/store/queue-state.ts';
import { rangeOf, tokensOf } from '../../src/store/run.ts';
import type { TakeLimit, TakeResult } from '../../src/store/store.ts';
import { ALL, bodiesOf, messagesOf, packed } from '../store/messages.ts';

const FOREVER = Infinity;
const ONE = { count: 1, bytes: Infinity };

let queues: Queues;
let owner: Owner;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  queues = await Queues.open(
    async (events) => new MemoryStore(events, Date.now),
    (error) => expect.unreachable(String(error)),
  );
  owner = queues.enter();
});
afterEach(async () => {
  queues.stop(new MqError('STOPPED', 'the test is over'));
  await allThatCanHappen();
  expect(vi.getTimerCount(), 'timers that nobody waits for').toBe(0);
  vi.useRealTimers();
});

const code = (code: string, more = {}) => expect.objectContaining({ code, ...more });
/** The reference store works in microtasks: all that can happen has happened after them. */
const allThatCanHappen = () => new Promise<void>((resolve) => setImmediate(resolve));

const put = async (queue: string, bodies: string[], timeout = FOREVER, who = owner) =>
  (await queues.put(who, queue, packed(...bodies), { priority: 0 }, timeout)).stored;
const get = (queue: string | string[], timeout = FOREVER, who = owner, limit: TakeLimit = ONE) =>
  queues.get(who, [queue].flat(), { limit, timeout });
const bodies = (taken: Taken | undefined) => taken && bodiesOf(messagesOf(taken.runs));
const idsOf = (taken: Taken | undefined): Range[] => (taken as Taken).runs.map(rangeOf);
const waiting = async (queue: string) => bodiesOf(messagesOf(await queues.store.peek(queue, ALL)));

/** The outcome by now. */
async function outcomeOf<T>(promise: Promise<T>): Promise<T | 'waits' | MqError> {
  let outcome: T | 'waits' | MqError = 'waits';
  promise.then(
    (value) => {
      outcome = value;
    },
    (error) => {
      outcome = error;
    },
  );
  await allThatCanHappen();
  return outcome;
}

describe('a paused queue', () => {
  test('gives nothing: gets wait, or have the next queue, until it is resumed', async () => {
    await put('q', ['a', 'b']);
    await put('other', ['c']);
    await queues.pause('q');
    expect(await get('q', 0)).toBeUndefined();
    expect(bodies(await get(['q', 'other'], 0))).toEqual(['c']);
    const gettings = [get('q'), get(['q', 'other'])];
    expect(await outcomeOf(Promise.race(gettings))).toBe('waits');
    await queues.store.resume('q');
    expect((await Promise.all(gettings)).map(bodies)).toEqual([['a'], ['b']]);
  });

  test('wakes those who wait when it is drained, and not before', async () => {
    await put('q', ['a']);
    await queues.pause('q');
    await queues.store.close('q', false);
    const gettings = [get('q'), queues.get(owner, ['q'], { limit: ONE, timeout: FOREVER, until: 'idle' })];
    expect(await outcomeOf(Promise.race(gettings))).toBe('waits');
    await queues.store.purge('q');
    for (const getting of gettings) expect(await outcomeOf(getting)).toEqual(code('CLOSED'));
  });

  test('is joined when nothing in it is unfinished', async () => {
    await put('q', ['a']);
    await queues.pause('q');
    const join = queues.join(owner, 'q', FOREVER);
    expect(await outcomeOf(join)).toBe('waits');
    await queues.store.purge('q');
    expect(await join).toBe(true);
  });

  test('is told to those who wait at it or have messages of it, and to who claims a lease of it', async () => {
    await put('q', ['a', 'b']);
    await put('other', ['c']);
    const told: string[] = [];
    const [holds, waits, leases, other] = ['holds', 'waits', 'leases', 'other'].map((name) => {
      const each = queues.enter();
      each.onPaused = (queue) => told.push(`${name} ${queue}`);
      return each;
    }) as [Owner, Owner, Owner, Owner];
    await get('q', 0, holds);
    const lease = { duration: 60_000, isBound: true };
    const taken = (await queues.get(leases, ['q'], { limit: ONE, timeout: 0, lease })) as Taken;
    const getting = get('q', FOREVER, waits);
    await get('other', 0, other);
    await allThatCanHappen();
    await queues.pause('q');
    expect(told.sort()).toEqual(['holds q', 'leases q', 'waits q']);
    await queues.extend(other, 'q', tokensOf(taken.runs), 60_000, 'hold');
    expect(told.at(-1)).toBe('other q');
    await queues.leave(waits);
    expect(await outcomeOf(getting)).toEqual(code('INTERRUPTED'));
    queues.end();
  });
});

describe('max_leased', () => {
  const lease = { duration: 60_000, isBound: true };
  const leaseOne = (who = owner, timeout = FOREVER, queue = 'q') =>
    queues.get(who, [queue], { limit: ONE, timeout, lease });
  const ahead = (count: number, atOnce: number, names = ['q']) =>
    queues.get(owner, names, { limit: { ...ALL, count, atOnce }, timeout: FOREVER, lease });
  const done = (taken: Taken | undefined) =>
    queues.settleLeases('q', tokensOf((taken as Taken).runs), 'done');

  beforeEach(() => queues.store.create('q', { max_leased: 1 }));
  afterEach(() => queues.end());

  test('who finds it reached waits, in order of arrival, until a lease has ended', async () => {
    await put('q', ['a', 'b', 'c', 'd']);
    const first = await leaseOne();
    expect(await leaseOne(owner, 0)).toBeUndefined();
    const gettings = [leaseOne(), leaseOne(), leaseOne()];
    expect(await outcomeOf(Promise.race(gettings))).toBe('waits');
    await done(first);
    const second = await gettings[0];
    expect(bodies(second)).toEqual(['b']);
    expect(await outcomeOf(Promise.race(gettings.slice(1)))).toBe('waits');
    await done(second);
    expect(bodies(await gettings[1])).toEqual(['c']);
    await queues.store.configure('q', { max_leased: 0 });
    expect(bodies(await gettings[2])).toEqual(['d']);
  });

  test('a lease that ends with its connection is another one for who waits', async () => {
    await put('q', ['a', 'b']);
    const other = queues.enter();
    await leaseOne(other);
    const getting = leaseOne();
    expect(await outcomeOf(getting)).toBe('waits');
    await queues.leave(other);
    expect(bodies(await getting)).toEqual(['a']);
  });

  test('gets without a lease pass those who wait for one, and wait behind their like', async () => {
    await put('q', ['a', 'b']);
    const first = await leaseOne();
    const leases = [leaseOne(), leaseOne()];
    await allThatCanHappen();
    expect(bodies(await get('q', 0))).toEqual(['b']);
    const gets = [get('q'), get('q')];
    await allThatCanHappen();
    await put('q', ['c']);
    expect(bodies(await gets[0])).toEqual(['c']);
    expect(await outcomeOf(Promise.race([...leases, gets[1]]))).toBe('waits');
    await done(first);
    await put('q', ['d', 'e']);
    expect(bodies(await leases[0])).toEqual(['d']);
    expect(bodies(await gets[1])).toEqual(['e']);
  });

  test('nothing is taken ahead there, and that is said as soon as there is something', async () => {
    const getting = ahead(5, 0);
    expect(await outcomeOf(getting)).toBe('waits');
    await queues.store.configure('q', { max_leased: 9 });
    await put('q', ['a', 'b', 'c', 'd']);
    expect(await getting).toMatchObject({ runs: [] });
    expect(await ahead(5, 0)).toMatchObject({ runs: [] });
    expect(bodies(await ahead(5, 2))).toEqual(['a', 'b']);
    await put('other', ['x', 'y']);
    expect(bodies(await ahead(2, 0, ['other', 'q']))).toEqual(['x', 'y']);
    expect(await waiting('q')).toEqual(['c', 'd']);
    await queues.store.configure('q', { max_leased: 1 });
    const behind = [leaseOne(), ahead(5, 0)] as const;
    expect(await outcomeOf(behind[0])).toBe('waits');
    await put('q', ['e']);
    expect(await behind[1]).toMatchObject({ runs: [] });
    expect(await outcomeOf(behind[0])).toBe('waits');
  });

  test('in other queues it goes on', async () => {
    await put('q', ['a', 'b']);
    await put('other', ['x']);
    await leaseOne();
    expect(bodies(await queues.get(owner, ['q', 'other'], { limit: ONE, timeout: 0, lease }))).toEqual(['x']);
    await queues.store.close('q', false);
    expect(await leaseOne(owner, 0)).toBeUndefined();
    await queues.store.purge('q');
    await expect(leaseOne()).rejects.toEqual(code('CLOSED'));
  });
});

describe('rename', () => {
  test('who waits on a queue waits on: gets and puts by the former name, joins with the queue', async () => {
    await queues.store.create('q', { maxsize: 1 });
    await put('q', ['a']);
    await queues.pause('q');
    const [getting, joining, putting] = [get('q'), queues.join(owner, 'q', FOREVER), put('q', ['b'])];
    expect(await outcomeOf(Promise.race([getting, joining, putting]))).toBe('waits');
    await queues.rename('q', 'new');
    // There is room in a queue that is not there, and it is not paused.
    expect(await putting).toBe(1);
    expect(bodies(await getting)).toEqual(['b']);
    expect(await outcomeOf(joining)).toBe('waits');
    await queues.store.purge('new');
    expect(await joining).toBe(true);
  });

  test('who waits for the new name gets what is there', async () => {
    const getting = get('new');
    await put('q', ['a']);
    await queues.rename('q', 'new');
    expect(bodies(await getting)).toEqual(['a']);
  });

  test('one that is refused ends no join; a join in time', async () => {
    await put('q', ['a']);
    await put('new', ['b']);
    const [joining, impatient] = [queues.join(owner, 'q', FOREVER), queues.join(owner, 'q', 1000)];
    await allThatCanHappen();
    await expect(queues.rename('q', 'new')).rejects.toEqual(code('EXISTS'));
    await queues.rename('q', 'other');
    expect(await outcomeOf(Promise.race([joining, impatient]))).toBe('waits');
    await vi.advanceTimersByTimeAsync(1000);
    expect(await impatient).toBe(false);
    await queues.store.remove('other', true);
    expect(await outcomeOf(joining)).toEqual(code('NOQUEUE'));
  });
});

describe('get', () => {
  test('gives what is there', async () => {
    await put('q', ['a', 'b', 'c']);
    expect(bodies(await get('q'))).toEqual(['a']);
    expect(bodies(await get('q', 0, owner, ALL))).toEqual(['b', 'c']);
  });

  test('waits until a message arrives', async () => {
    const getting = get('q');
    expect(await outcomeOf(getting)).toBe('waits');
    await put('q', ['a']);
    expect(bodies(await getting)).toEqual(['a']);
  });

  test('those who wait are served in order of arrival, whatever comes at once', async () => {
    const others = [queues.enter(), queues.enter(), queues.enter()];
    const gettings = others.map((other) => get('q', FOREVER, other));
    await allThatCanHappen();
    await put('q', ['a']);
    expect(bodies((await gettings[0]) as Taken)).toEqual(['a']);
    expect(await outcomeOf(Promise.race(gettings.slice(1)))).toBe('waits');
    await put('q', ['b', 'c', 'd']);
    expect((await Promise.all(gettings)).map(bodies)).toEqual([['a'], ['b'], ['c']]);
    expect(await waiting('q')).toEqual(['d']);
  });

  test('who comes later does not overtake those who wait', async () => {
    const first = get('q', FOREVER, queues.enter());
    await allThatCanHappen();
    const putting = put('q', ['a']);
    const second = get('q', 0);
    await putting;
    expect(bodies(await first)).toEqual(['a']);
    expect(await second).toBeUndefined();
  });

  test('gives nothing when nothing came in time', async () => {
    expect(await get('q', 0)).toBeUndefined();
    const getting = get('q', 1000);
    await allThatCanHappen();
    await vi.advanceTimersByTimeAsync(999);
    expect(await outcomeOf(getting)).toBe('waits');
    await vi.advanceTimersByTimeAsync(1);
    expect(await outcomeOf(getting)).toBeUndefined();
    expect(owner.waitsOn.size).toBe(0);
    await put('q', ['a']);
    expect(await waiting('q')).toEqual(['a']);
  });

  test('of several queues gives from the first, in the order given, that has a message', async () => {
    await put('b', ['b1']);
    await put('a', ['a1']);
    expect(bodies(await get(['a', 'b']))).toEqual(['a1']);
    expect(await get(['a', 'b'])).toMatchObject({ queue: 'b' });
  });

  test('of several queues waits for the first message in any, and for that only', async () => {
    const getting = get(['a', 'b', 'c']);
    await allThatCanHappen();
    expect([...owner.waitsOn]).toEqual(['a', 'b', 'c']);
    await Promise.all([put('b', ['b1']), put('c', ['c1'])]);
    expect(await getting).toMatchObject({ queue: 'b' });
    await allThatCanHappen();
    expect(await waiting('c')).toEqual(['c1']);
    expect(owner.waitsOn.size).toBe(0);
  });

  test.each(Array.from({ length: 20 }, (_, i) => i))(
    'misses no message that comes while the store is asked (%d)',
    async (microtasks) => {
      const gettings = [get('q'), get(['a', 'q', 'b'], FOREVER, queues.enter())];
      for (let i = 0; i < microtasks; i++) await Promise.resolve();
      await put('q', ['1', '2']);
      expect(await Promise.all(gettings.map(outcomeOf))).toEqual([
        expect.objectContaining({ queue: 'q' }),
        expect.objectContaining({ queue: 'q' }),
      ]);
    },
  );

  test('waits for no step of the store at another queue', async () => {
    const take = queues.store.take.bind(queues.store);
    const { promise, resolve } = Promise.withResolvers<void>();
    vi.spyOn(queues.store, 'take').mockImplementation(async (queue, limit) => {
      if (queue === 'slow') await promise;
      return take(queue, limit);
    });
    const [slow, both] = [get('slow'), get(['slow', 'q'])].map(outcomeOf);
    const getting = get('q');
    await Promise.all([put('q', ['1', '2']), put('other', ['a'])]);
    expect(bodies(await get('other', FOREVER, queues.enter()))).toEqual(['a']);
    // The get before it is still to ask for messages of this queue.
    expect(await outcomeOf(getting)).toBe('waits');
    expect([await slow, await both]).toEqual(['waits', 'waits']);
    resolve();
    expect(bodies(await getting)).toEqual(['2']);
  });

  test('of several queues takes messages of one, also when they come to all at once', async () => {
    const getting = get(['a', 'b', 'c']);
    expect(await outcomeOf(getting)).toBe('waits');
    const take = queues.store.take.bind(queues.store);
    const taken: string[] = [];
    vi.spyOn(queues.store, 'take').mockImplementation(async (queue, limit) => {
      const result = await take(queue, limit);
      await allThatCanHappen();
      if (result.runs.length > 0) taken.push(queue);
      return result;
    });
    await Promise.all(['a', 'b', 'c'].map((name) => put(name, [name])));
    expect(await getting).toMatchObject({ queue: 'a' });
    for (let i = 0; i < 10; i++) await allThatCanHappen();
    expect(taken).toEqual(['a']);
    expect([await waiting('b'), await waiting('c')]).toEqual([['b'], ['c']]);
  });

  test('misses no message that is put in the same transaction, behind the question', async () => {
    const take = queues.store.take.bind(queues.store);
    vi.spyOn(queues.store, 'take').mockImplementationOnce(async (queue, limit) => {
      const nothing = await take(queue, limit);
      await put('q', ['a']);
      return nothing;
    });
    expect(await outcomeOf(get('q'))).toMatchObject({ queue: 'q' });
  });

  test('ends when the queue is closed and drained', async () => {
    await put('q', ['a']);
    await queues.store.close('q', false);
    expect(bodies(await get('q'))).toEqual(['a']);
    await expect(get('q')).rejects.toEqual(code('CLOSED'));
  });

  test('close wakes those who wait', async () => {
    await queues.store.create('q', {});
    const gettings = [get('q'), get('q', 1000)].map(outcomeOf);
    await queues.store.close('q', false);
    expect(await Promise.all(gettings)).toEqual([code('CLOSED'), code('CLOSED')]);
  });

  test('of several queues ends when all of them are closed and drained', async () => {
    for (const name of ['a', 'b']) await queues.store.create(name, {});
    await queues.store.close('a', false);
    const getting = get(['a', 'b']);
    expect(await outcomeOf(getting)).toBe('waits');
    await queues.store.open('a');
    await queues.store.close('b', false);
    expect(await outcomeOf(getting)).toBe('waits');
    await queues.store.close('a', false);
    await expect(getting).rejects.toEqual(code('CLOSED'));
  });

  describe('that ends when nothing is unfinished', () => {
    // The alarm for what is delayed.
    afterEach(() => queues.end());

    const getUntil = (until: 'finished' | 'idle', ...names: string[]) =>
      queues.get(queues.enter(), names, { limit: ONE, timeout: FOREVER, until });
    const delayed = (queue: string) =>
      queues.put(owner, queue, packed('m'), { priority: 0, delay: 10_000 }, FOREVER);

    test('waits for all of several queues', async () => {
      for (const name of ['a', 'b']) await put(name, ['m']);
      const [a, b] = [await get('a'), await get('b')];
      const getting = getUntil('idle', 'a', 'b');
      await queues.done(owner, 'a', idsOf(a));
      expect(await outcomeOf(getting)).toBe('waits');
      await queues.done(owner, 'b', idsOf(b));
      expect(await getting).toBeUndefined();
    });

    test('CLOSED only when all of them are closed', async () => {
      for (const name of ['a', 'b']) await queues.store.create(name, {});
      await queues.store.close('a', false);
      expect(await getUntil('idle', 'a', 'b')).toBeUndefined();
      const getting = getUntil('finished', 'a', 'b');
      expect(await outcomeOf(getting)).toBe('waits');
      await queues.store.close('b', false);
      await expect(getting).rejects.toEqual(code('CLOSED'));
      await expect(getUntil('idle', 'a', 'b')).rejects.toEqual(code('CLOSED'));
    });

    test.each([
      ['a', 'b'],
      ['b', 'a'],
    ])(
      'in all of them at one moment, be a message moved on between two of them (%s, %s)',
      async (...names) => {
        await put('a', ['m']);
        const taken = await get('a');
        const getting = getUntil('idle', ...names);
        expect(await outcomeOf(getting)).toBe('waits');
        // One step of the store: a is finished, and b is not any more.
        await Promise.all([queues.done(owner, 'a', idsOf(taken)), delayed('b')]);
        expect(await outcomeOf(getting)).toBe('waits');
        await queues.store.purge('b');
        expect(await getting).toBeUndefined();
      },
    );

    test('a queue that fills again while another is waited for is waited for again, whoever else waits', async () => {
      await put('b', ['m']);
      const taken = await get('b');
      const other = get('a', FOREVER, queues.enter());
      const getting = getUntil('idle', 'a', 'b');
      await delayed('a');
      await queues.done(owner, 'b', idsOf(taken));
      expect(await outcomeOf(getting)).toBe('waits');
      await queues.store.purge('a');
      expect(await getting).toBeUndefined();
      expect(await outcomeOf(other)).toBe('waits');
    });

    test('is told of the end though others, who do not wait for it, came first', async () => {
      await put('q', ['m']);
      const taken = await get('q');
      const other = get('q', FOREVER, queues.enter());
      const getting = getUntil('idle', 'q');
      expect(await outcomeOf(getting)).toBe('waits');
      await queues.done(owner, 'q', idsOf(taken));
      expect(await outcomeOf(getting)).toBeUndefined();
      expect(await outcomeOf(other)).toBe('waits');
    });
  });

  test('a message that comes back to a closed queue can still be got', async () => {
    await put('q', ['a']);
    const taken = await get('q');
    await queues.store.close('q', false);
    await expect(get('q', 0)).rejects.toEqual(code('CLOSED'));
    await queues.giveBack(owner, 'q', idsOf(taken));
    expect(bodies(await get('q'))).toEqual(['a']);
  });

  test('an error of the store is handed to who asked', async () => {
    vi.spyOn(queues.store, 'take').mockRejectedValueOnce(new MqError('DAMAGED', 'oh'));
    await expect(get('q')).rejects.toEqual(code('DAMAGED'));
    vi.spyOn(queues.store, 'take').mockRejectedValueOnce(new Error('oh'));
    await expect(get('q')).rejects.toEqual(code('INTERNAL'));
    await put('q', ['a']);
    expect(bodies(await get('q'))).toEqual(['a']);
  });
});

describe('put', () => {
  test('stores all and says how many', async () => {
    expect(await put('q', ['a', 'b'])).toBe(2);
    expect(await waiting('q')).toEqual(['a', 'b']);
  });

  test('waits for room, and stores what fits meanwhile', async () => {
    await queues.store.create('q', { maxsize: 2 });
    const putting = put('q', ['a', 'b', 'c']);
    expect(await outcomeOf(putting)).toBe('waits');
    expect(await waiting('q')).toEqual(['a', 'b']);
    await get('q');
    expect(await putting).toBe(3);
    expect(await waiting('q')).toEqual(['b', 'c']);
  });

  test('those who wait for room are served in order of arrival', async () => {
    await queues.store.create('q', { maxsize: 1 });
    await put('q', ['a']);
    const puttings = [
      put('q', ['b1', 'b2'], FOREVER, queues.enter()),
      put('q', ['c'], FOREVER, queues.enter()),
      put('q', ['d']),
    ];
    const got: (string[] | undefined)[] = [];
    for (let i = 0; i < 5; i++) got.push(bodies(await get('q')));
    expect(got.flat()).toEqual(['a', 'b1', 'b2', 'c', 'd']);
    expect(await Promise.all(puttings)).toEqual([2, 1, 1]);
  });

  test('says FULL, and how many are stored, when there was no room in time', async () => {
    await queues.store.create('q', { maxsize: 1 });
    await expect(put('q', ['a', 'b'], 0)).rejects.toEqual(code('FULL', { stored: 1 }));
    const putting = put('q', ['c'], 1000);
    await allThatCanHappen();
    await vi.advanceTimersByTimeAsync(999);
    expect(await outcomeOf(putting)).toBe('waits');
    await vi.advanceTimersByTimeAsync(1);
    expect(await outcomeOf(putting)).toEqual(code('FULL', { stored: 0 }));
    expect(await waiting('q')).toEqual(['a']);
  });

  test('one that gives up does not stop those behind it', async () => {
    await queues.store.create('q', { maxsize: 1 });
    await put('q', ['a']);
    const first = outcomeOf(put('q', ['b'], 1000));
    const second = put('q', ['c']);
    await allThatCanHappen();
    await vi.advanceTimersByTimeAsync(1000);
    expect(await first).toBe('waits');
    expect(bodies(await get('q'))).toEqual(['a']);
    expect(await second).toBe(1);
    expect(await waiting('q')).toEqual(['c']);
  });

  test('close wakes those who wait for room, and says how many are stored', async () => {
    await queues.store.create('q', { maxsize: 1 });
    const puttings = [put('q', ['a', 'b']), put('q', ['c'])].map((each) => each.catch((error) => error));
    await allThatCanHappen();
    await queues.store.close('q', false);
    expect(await Promise.all(puttings)).toEqual([
      code('CLOSED', { stored: 1 }),
      code('CLOSED', { stored: 0 }),
    ]);
    await expect(put('q', ['d'])).rejects.toEqual(code('CLOSED', { stored: 0 }));
  });

  test('a larger limit wakes those who wait for room', async () => {
    await queues.store.create('q', { maxsize: 1 });
    const putting = put('q', ['a', 'b', 'c']);
    await allThatCanHappen();
    await queues.store.configure('q', { maxsize: 0 });
    expect(await putting).toBe(3);
  });

  test('a refusal by the store is handed to who asked, and stops nobody else', async () => {
    const bad = queues.put(owner, 'q', packed('a'), { priority: 1 }, FOREVER);
    const good = put('q', ['b']);
    await expect(bad).rejects.toEqual(code('NOTPRIORITY', { stored: 0 }));
    expect(await good).toBe(1);
  });

  test('goes on with the position of a client where the room ended', async () => {
    await queues.store.create('q', { maxsize: 2 });
    const options = { priority: 0, client: { id: 'x', index: 0 } };
    const putting = queues.put(owner, 'q', packed('a', 'b', 'c'), options, FOREVER);
    await allThatCanHappen();
    await get('q', FOREVER, owner, ALL);
    expect(await putting).toEqual({ stored: 3, ids: [] });
    expect(await queues.put(owner, 'q', packed('a', 'b', 'c'), options, FOREVER)).toMatchObject({
      stored: 3,
    });
    expect(await waiting('q')).toEqual(['c']);
  });
});

describe('done and giveBack', () => {
  test('what is done is gone, once', async () => {
    await put('q', ['a', 'b']);
    const taken = await get('q');
    expect(queues.areHeld).toBe(true);
    expect(await queues.done(owner, 'q', idsOf(taken))).toBe(1);
    expect(await queues.done(owner, 'q', idsOf(taken))).toBe(0);
    expect(queues.areHeld).toBe(false);
    expect(await queues.store.stat('q')).toMatchObject({ waiting: 1, held: 0, got: 1 });
  });

  test('nobody can end the hold of another', async () => {
    await put('q', ['a']);
    const taken = await get('q');
    const other = queues.enter();
    expect(await queues.done(other, 'q', idsOf(taken))).toBe(0);
    await queues.giveBack(other, 'q', idsOf(taken));
    expect(await queues.store.stat('q')).toMatchObject({ waiting: 0, held: 1 });
    expect(await queues.done(owner, 'q', idsOf(taken))).toBe(1);
  });

  test('what was held when an earlier daemon died can be done while it waits', async () => {
    await put('q', ['a', 'b']);
    const [run] = await queues.store.peek('q', ONE);
    expect(await queues.done(owner, 'q', [rangeOf(run as NonNullable<typeof run>)])).toBe(0);
    owner.holder = '1 1';
    expect(await queues.done(owner, 'q', [rangeOf(run as NonNullable<typeof run>)])).toBe(1);
    expect(await waiting('q')).toEqual(['b']);
    expect(await queues.done(owner, 'nothing', [{ first: 1, last: 5 }])).toBe(0);
  });

  test('what is given back is in its place, for those who wait', async () => {
    await put('q', ['a', 'b']);
    const first = await get('q');
    await get('q');
    const getting = get('q', FOREVER, queues.enter());
    await allThatCanHappen();
    await queues.giveBack(owner, 'q', idsOf(first));
    expect(bodies(await getting)).toEqual(['a']);
  });

  test('what could not be recorded as done is still held, and can be done later', async () => {
    await put('q', ['a']);
    const taken = await get('q');
    vi.spyOn(queues.store, 'settle').mockRejectedValueOnce(new MqError('DISKFULL', 'full'));
    await expect(queues.done(owner, 'q', idsOf(taken))).rejects.toEqual(code('DISKFULL'));
    expect(await queues.store.stat('q')).toMatchObject({ waiting: 0, held: 1 });
    expect(await queues.done(owner, 'q', idsOf(taken))).toBe(1);
  });

  test('it is back when its owner is gone by then', async () => {
    await put('q', ['a']);
    const taken = await get('q');
    vi.spyOn(queues.store, 'settle').mockImplementationOnce(async () => {
      await queues.leave(owner);
      throw new MqError('DISKFULL', 'full');
    });
    await expect(queues.done(owner, 'q', idsOf(taken))).rejects.toEqual(code('DISKFULL'));
    expect(await waiting('q')).toEqual(['a']);
  });
});

describe('a owner', () => {
  test('that leaves gives back all that it held', async () => {
    await put('a', ['1', '2', '3']);
    await put('b', ['4']);
    const first = await get('a');
    await get('a');
    await get('b');
    await queues.done(owner, 'a', idsOf(first));
    await queues.leave(owner);
    expect([await waiting('a'), await waiting('b')]).toEqual([['2', '3'], ['4']]);
    expect(queues.areHeld).toBe(false);
  });

  test('that leaves waits no longer, and is given nothing', async () => {
    await queues.store.create('full', { maxsize: 1 });
    const getting = get('q').catch((error) => error);
    const putting = put('full', ['a', 'b']).catch((error) => error);
    await allThatCanHappen();
    await queues.leave(owner);
    expect(await getting).toEqual(code('INTERRUPTED'));
    expect(await putting).toEqual(code('INTERRUPTED', { stored: 1 }));
    await put('q', ['c'], FOREVER, queues.enter());
    expect(await waiting('q')).toEqual(['c']);
    await expect(get('q')).rejects.toEqual(code('INTERRUPTED'));
    await expect(put('q', ['d'])).rejects.toEqual(code('INTERRUPTED'));
  });

  test('that leaves while the store is asked for it gets nothing: the message is back', async () => {
    await put('q', ['a']);
    const store = queues.store;
    const take = store.take.bind(store);
    vi.spyOn(store, 'take').mockImplementationOnce(async (queue, limit): Promise<TakeResult> => {
      const result = await take(queue, limit);
      await queues.leave(owner);
      return result;
    });
    await expect(get('q')).rejects.toEqual(code('INTERRUPTED'));
    await allThatCanHappen();
    expect(await waiting('q')).toEqual(['a']);
  });

  test('that ends waits for nothing, but is given what is there', async () => {
    await put('q', ['a']);
    const held = await get('q');
    const getting = get('q').catch((error) => error);
    await allThatCanHappen();
    owner.end();
    expect(await getting).toEqual(code('INTERRUPTED'));
    expect(await get('q')).toBeUndefined();
    await put('q', ['b']);
    expect(bodies(await get('q'))).toEqual(['b']);
    expect(await queues.done(owner, 'q', idsOf(held))).toBe(1);
  });

  test('is counted for each queue that it waits on or holds messages of', async () => {
    const count = (name: string) => queues.consumersOf({ name } as QueueState);
    await put('held', ['a']);
    await get('held');
    const other = queues.enter();
    const getting = get(['held', 'empty'], FOREVER, other).catch((error) => error);
    await allThatCanHappen();
    expect(['held', 'empty', 'else'].map(count)).toEqual([2, 1, 0]);
    await queues.leave(other);
    expect(await getting).toEqual(code('INTERRUPTED'));
    expect(['held', 'empty'].map(count)).toEqual([1, 0]);
    await queues.leave(owner);
    expect(count('held')).toBe(0);
  });
});

describe('stop', () => {
  test('sends everybody away who waits, and who comes after that', async () => {
    await queues.store.create('full', { maxsize: 1 });
    const gettings = [get('q'), get(['q', 'r'], 1000, queues.enter())];
    const puttings = [put('full', ['a', 'b']), put('full', ['c'], 1000, queues.enter())];
    const outcomes = [...gettings, ...puttings].map((each) => each.catch((error: unknown) => error));
    await allThatCanHappen();
    queues.stop(new MqError('STOPPED', 'the daemon stops'));
    const [one, two, three, four] = await Promise.all(outcomes);
    expect([one, two]).toEqual([code('STOPPED'), code('STOPPED')]);
    expect([three, four]).toEqual([code('STOPPED', { stored: 1 }), code('STOPPED', { stored: 0 })]);
    await expect(get('q')).rejects.toEqual(code('STOPPED'));
    await expect(put('q', ['d'])).rejects.toEqual(code('STOPPED'));
    expect(await waiting('full')).toEqual(['a']);
  });

  test('says what an earlier daemon stored of a put, also behind one that waits for room', async () => {
    await queues.store.create('q', { maxsize: 3 });
    const client = { id: 'c', index: 0 };
    const all = { stored: 2, ids: [] };
    const again = (index: number) =>
      queues.put(owner, 'q', packed('a', 'b'), { priority: 0, client: { ...client, index } }, FOREVER);
    await again(0);
    const behind: Promise<unknown>[] = [put('q', ['x', 'y']), again(0)];
    expect(await outcomeOf(behind[0] as Promise<unknown>)).toBe('waits');
    queues.stop(new MqError('STOPPED', 'stopped'));
    expect(await Promise.all(behind.map(outcomeOf))).toEqual([code('STOPPED', { stored: 1 }), all]);
    expect(await Promise.all([again(0), again(1), again(2)].map(outcomeOf))).toEqual([
      all,
      code('STOPPED', { stored: 1 }),
      code('STOPPED', { stored: 0 }),
    ]);
  });

  test('says with the ids that are asked for which messages were stored, and why the rest was not', async () => {
    await queues.store.create('q', { maxsize: 2 });
    const putting = (index: number, ...bodies: string[]) => {
      const options = { priority: 0, client: { id: 'c', index }, ids: { since: index } };
      return queues.put(owner, 'q', packed(...bodies), options, 0);
    };
    const some = { stored: 2, ids: [{ first: 1, last: 2 }], lacking: code('FULL', { stored: 2 }) };
    expect(await putting(0, 'a', 'b', 'c')).toEqual(some);
    expect(await putting(0, 'a', 'b', 'c')).toEqual(some);
    await expect(putting(2, 'c')).rejects.toEqual(code('FULL', { stored: 0 }));
    queues.stop(new MqError('STOPPED', 'stopped'));
    const lacking = code('STOPPED', { stored: 2 });
    expect(await putting(0, 'a', 'b', 'c')).toEqual({ ...some, lacking });
    expect(await putting(0, 'a', 'b')).toEqual({ stored: 2, ids: some.ids });
  });

  test('leaves what is held with its owner, who can still say that it is done', async () => {
    await put('q', ['a', 'b']);
    const first = await get('q');
    const second = await get('q');
    queues.stop(new MqError('STOPPED', 'the daemon stops'));
    expect(await queues.done(owner, 'q', idsOf(first))).toBe(1);
    await queues.giveBack(owner, 'q', idsOf(second));
    expect(await waiting('q')).toEqual(['b']);
  });
});

test('what is due is done when the store says so, also where its clock is ahead', async () => {
  let now = Date.now() + 86400e3;
  queues = await Queues.open(
    async (events) => new MemoryStore(events, () => now),
    (error) => expect.unreachable(String(error)),
  );
  owner = queues.enter();
  await queues.put(owner, 'q', packed('a'), { priority: 0, delay: 8000 }, FOREVER);
  const getting = get('q');
  expect(await outcomeOf(getting)).toBe('waits');
  now += 8000;
  vi.advanceTimersByTime(8000);
  expect(bodies(await getting)).toEqual(['a']);
});

/** Takes many messages, one after the other. */
class SlowStore extends MemoryStore {
  override async take(name: string, limit: TakeLimit): Promise<TakeResult> {
    const taken = await super.take(name, { ...limit, count: Math.min(limit.count, 1) });
    return { ...taken, isPart: limit.count > 1 };
  }
}

describe('get of many that is given part after part', () => {
  test('keeps nothing from others that is left', async () => {
    queues = await Queues.open(
      async (events) => new SlowStore(events, Date.now),
      (error) => expect.unreachable(String(error)),
    );
    const [many, one] = [queues.enter(), queues.enter()];
    await put('q', ['a', 'b', 'c', 'd', 'e'], FOREVER, many);
    const getting = get('q', FOREVER, many, { count: 3, bytes: Infinity });
    expect(bodies(await get('q', 0, one))).toEqual(['b']);
    expect(bodies(await getting)).toEqual(['a', 'c', 'd']);
  });
});
