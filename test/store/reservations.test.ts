import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { StatementSync } from 'node:sqlite';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { rangeOf, tokensOf } from '../../src/store/run.ts';
import { SqliteStore } from '../../src/store/sqlite/sqlite.ts';
import { newRamFolder } from '../ram.ts';
import { ALL, bodiesOf, messagesOf, packed, SILENT } from './messages.ts';

const folder = newRamFolder('mq-reservations-');
afterAll(() => rmSync(folder, { recursive: true }));

const ONE = { count: 1, bytes: Infinity };
const X = '11 1';
const Y = '22 2';

describe('SqliteStore: what an owner has', () => {
  let place: string;
  let store: SqliteStore;
  const open = () =>
    new SqliteStore(join(place, 'store'), SILENT, Date.now, undefined, undefined, {
      path: join(place, 'ledger'),
      failed: (error) => expect.unreachable(String(error)),
    });
  const reopen = async () => {
    await store.end();
    store = open();
    return store.reserved();
  };
  const ledger = () => readFileSync(join(place, 'ledger'), 'utf8').split('\n').slice(1, -1);
  const waiting = async () => bodiesOf(messagesOf(await store.peek('q', ALL)));

  beforeEach(async () => {
    place = mkdtempSync(join(folder, 's-'));
    store = open();
    expect(await store.reserved()).toEqual([]);
    await store.put('q', packed('a', 'b', 'c', 'd'), { priority: 0 });
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await store.end();
  });

  test('is reserved for it in the next process, until it is settled there', async () => {
    const held = await store.take('q', { ...ONE, count: 2 }, X);
    const leased = await store.lease('q', ONE, 60_000, Y);
    await store.lease('q', ONE, 60_000);
    const ids = [{ first: 1, last: 2 }];
    expect(held.runs.map(rangeOf)).toEqual(ids);
    const expected = [
      { owner: X, queue: 'q', ids, leases: [] },
      { owner: Y, queue: 'q', ids: [], leases: tokensOf(leased.runs) },
    ];
    expect(await reopen()).toEqual(expected);
    expect(await store.stat('q')).toMatchObject({ held: 2, leased: 2, waiting: 0 });
    expect(await store.reserved()).toEqual([]);
    expect(await reopen()).toEqual(expected);
    await store.settle('q', [{ first: 1, last: 1 }], 'done', X);
    await store.settle('q', [{ first: 2, last: 2 }], 'returned', X);
    store.gaveBack(X);
    await store.returnLeases('q', tokensOf(leased.runs));
    store.gaveBack(Y);
    expect(ledger()).toEqual([]);
    expect(await reopen()).toEqual([]);
    expect(await waiting()).toEqual(['b', 'c']);
  });

  test('is not what was settled before the process ended', async () => {
    await store.take('q', { ...ONE, count: 2 }, X);
    await store.settle('q', [{ first: 1, last: 1 }], 'done', X);
    expect(await reopen()).toMatchObject([{ owner: X, ids: [{ first: 2, last: 2 }] }]);
  });

  test('is a lease from the extension on that binds it to the owner, and not any more from the one that frees it', async () => {
    const leases = tokensOf((await store.lease('q', ONE, 60_000)).runs);
    await store.extend('q', leases, 60_000, { owner: X });
    expect(await reopen()).toMatchObject([{ owner: X, leases }]);
    await store.extend('q', leases, 60_000);
    expect(await reopen()).toMatchObject([{ owner: X, leases }]);
    await store.extend('q', leases, 60_000, { owner: Y });
    expect((await reopen()).filter((each) => each.leases.length > 0)).toMatchObject([{ owner: Y, leases }]);
    await store.extend('q', leases, 60_000, { owner: undefined });
    expect((await reopen()).filter((each) => each.leases.length > 0)).toEqual([]);
    expect(await store.stat('q')).toMatchObject({ leased: 1 });
  });

  test.each(['settle', 'settleLeases', 'returnLeases', 'put'] as const)(
    'is on record until it is committed that %s has settled it',
    async (step) => {
      const isHeld = step === 'settle';
      const { runs } = isHeld ? await store.take('q', ONE, X) : await store.lease('q', ONE, 60_000, X);
      const [lease] = tokensOf(runs);
      const steps = {
        settle: () => store.settle('q', runs.map(rangeOf), 'done', X),
        settleLeases: () => store.settleLeases('q', [lease as string], 'done'),
        returnLeases: () => store.returnLeases('q', [lease as string]),
        put: () =>
          store.put('out', packed('x'), { priority: 0, done: { queue: 'q', lease: lease as string } }),
      };
      const settled = steps[step]();
      // It has given back something else meanwhile: the record is begun anew.
      store.gaveBack(X);
      expect(ledger()).toEqual([`${X} q ${isHeld ? '1-1' : lease}`]);
      await settled;
      store.gaveBack(X);
      expect(ledger()).toEqual([]);
    },
  );

  test('is on record before it is committed that it was leased', async () => {
    const recorded: string[][] = [];
    const run = StatementSync.prototype.run;
    vi.spyOn(StatementSync.prototype, 'run').mockImplementation(function (this: StatementSync, ...args) {
      if (this.sourceSQL === 'COMMIT') recorded.push(ledger());
      return run.apply(this, args);
    });
    const leases = tokensOf((await store.lease('q', ONE, 60_000, X)).runs);
    expect(recorded).toEqual([[`${X} q ${leases}`]]);
  });

  test('begins the record anew when that has become long', async () => {
    const many = Array.from({ length: 2000 }, (_, i) => `${i}`);
    await store.put('many', packed(...many), { priority: 0 });
    const { length } = ledger();
    let most = 0;
    for (;;) {
      const { runs } = await store.lease('many', ALL, 60_000, X);
      const leases = tokensOf(runs);
      if (ledger().length < most) {
        // A line for each lease.
        expect(ledger().sort()).toEqual(leases.map((lease) => `${X} many ${lease}`).sort());
        break;
      }
      most = ledger().length;
      await store.settleLeases('many', leases, 'returned');
    }
    expect(most).toBeGreaterThan(length);
  });
});
