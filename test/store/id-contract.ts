import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PutOptions, Store } from '../../src/store/store.ts';
import type { OpenEmpty } from './contract.ts';
import { packed, SILENT } from './messages.ts';

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
}
