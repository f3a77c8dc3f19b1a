import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { holderOfPid, ownHolder } from '../../src/holder.ts';
import { Ledger } from '../../src/queue/ledger.ts';
import { Queues } from '../../src/queue/queues.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { rangeOf } from '../../src/store/run.ts';
import { SqliteStore } from '../../src/store/sqlite/sqlite.ts';
import type { Events, Store } from '../../src/store/store.ts';
import { ALL, bodiesOf, idsIn, messagesOf, packed, SILENT } from '../store/messages.ts';
import { until } from '../until.ts';

const me = ownHolder();
const ONE = { limit: { count: 1, bytes: Infinity }, timeout: 0 };

let folder: string;
let path: string;
const openLedger = (mark = 'this') =>
  new Ledger(
    path,
    () => mark,
    (error) => expect.unreachable(String(error)),
  );
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mq-ledger-'));
  path = join(folder, 'ledger');
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('Ledger: a full disk', () => {
  const disk = () => join(folder, 'disk');
  const ballast = () => join(disk(), 'ballast');
  let failures: number;
  beforeEach(({ skip }) => {
    mkdirSync(disk());
    const { status } = spawnSync('/bin/mount', ['-t', 'tmpfs', '-o', 'size=256k', 'mq-test', disk()]);
    if (status !== 0) skip('no small disk can be mounted here');
    path = join(disk(), 'ledger');
    failures = 0;
    expect(() => writeFileSync(ballast(), Buffer.alloc(512 * 1024))).toThrow('ENOSPC');
    truncateSync(ballast(), 192 * 1024);
  });
  afterEach(() => {
    spawnSync('/bin/umount', ['--lazy', disk()]);
  });

  /** As many as there is room for, and some more. */
  const giveMany = (makeRoom: () => boolean) => {
    const ledger = new Ledger(
      path,
      () => 'this',
      () => {
        failures += 1;
      },
      makeRoom,
    );
    ledger.rewrite([]);
    for (let i = 1; i <= 1000; i++)
      ledger.granted(me, 'q', { ids: [{ first: 2 * i, last: 2 * i }], leases: [] });
    return ledger;
  };

  test('a line for which there is no room leaves nothing of it', () => {
    const ledger = giveMany(() => false);
    expect(failures).toBeGreaterThan(100);
    const lines = readFileSync(path, 'utf8').split('\n');
    expect(lines.length).toBe(1000 - failures + 2);
    expect(ledger.size).toBe(readFileSync(path).length - '= this\n'.length);
    rmSync(ballast());
    ledger.granted(me, 'q', { ids: [{ first: 1, last: 1 }], leases: [] });
    ledger.close();
    const ids = openLedger().read().get(me)?.get('q')?.ids;
    expect(ids).toEqual([
      ...Array.from({ length: 1000 - failures }, (_, i) => ({ first: 2 * i + 2, last: 2 * i + 2 })),
      { first: 1, last: 1 },
    ]);
  });

  test('all is written when room can be made', () => {
    let left = 192 * 1024;
    giveMany(() => {
      if (left === 0) return false;
      left -= 4096;
      truncateSync(ballast(), left);
      return true;
    }).close();
    expect(failures).toBe(0);
    expect(left).toBeLessThan(192 * 1024);
    expect(openLedger().read().get(me)?.get('q')?.ids.length).toBe(1000);
  });
});

describe('Ledger', () => {
  test('a line for which the disk had no room spoils no other', ({ skip }) => {
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', folder]).status !== 0)
      skip('needs mount');
    try {
      const failures: unknown[] = [];
      const ledger = new Ledger(
        path,
        () => 'this',
        (error) => failures.push(error),
      );
      ledger.rewrite([]);
      // Up to the last page: what is written next has room for its beginning.
      writeFileSync(join(folder, 'filler'), Buffer.alloc(12 * 1024));
      for (let id = 1; failures.length === 0; id++)
        ledger.granted(me, 'a', { ids: [{ first: id, last: id }], leases: [] });
      expect(failures).toEqual([expect.objectContaining({ code: 'ENOSPC' })]);
      rmSync(join(folder, 'filler'));
      ledger.granted('17 1', 'b', { ids: [], leases: ['12.k3x'] });
      ledger.close();
      const next = openLedger();
      const holders = [...next.read().keys()];
      next.close();
      expect(holders).toEqual([me, '17 1']);
    } finally {
      spawnSync('umount', ['-l', folder]);
    }
  });

  test('knows what was given to whom', () => {
    const ledger = openLedger();
    ledger.granted(me, 'a', {
      ids: [
        { first: 1, last: 3 },
        { first: 7, last: 7 },
      ],
      leases: ['12.k3x', '13.0'],
    });
    ledger.freed(me, 'a', ['12.k3x']);
    ledger.granted(me, 'b', { ids: [{ first: 4, last: 4 }], leases: [] });
    ledger.granted(me, 'a', { ids: [{ first: 9, last: 9 }], leases: [] });
    ledger.granted('17 1', 'a', { ids: [{ first: 5, last: 5 }], leases: [] });
    ledger.close();
    const given = openLedger().read();
    expect([...given.keys()]).toEqual([me, '17 1']);
    expect([...(given.get(me) ?? [])]).toEqual([
      [
        'a',
        {
          ids: [
            { first: 1, last: 3 },
            { first: 7, last: 7 },
            { first: 9, last: 9 },
          ],
          leases: new Set(['13.0']),
        },
      ],
      ['b', { ids: [{ first: 4, last: 4 }], leases: new Set() }],
    ]);
  });

  test('forgets who is through, and is empty when all are', () => {
    const ledger = openLedger();
    ledger.granted(me, 'a', { ids: [{ first: 1, last: 1 }], leases: [] });
    ledger.granted('1 other', 'a', { ids: [{ first: 2, last: 2 }], leases: [] });
    ledger.ended(me);
    expect([...openLedger().read().keys()]).toEqual(['1 other']);
    expect(ledger.size).toBeGreaterThan(0);
    ledger.ended('1 other');
    expect(ledger.size).toBe(0);
    expect(readFileSync(path, 'utf8')).toBe('= this\n');
  });

  test('a line that was cut off gives nothing that was not given', () => {
    openLedger().granted(me, 'a', { ids: [{ first: 10, last: 30 }], leases: [] });
    const whole = readFileSync(path, 'utf8');
    for (let length = 0; length < whole.length; length++) {
      truncateSync(path, length);
      const ranges = openLedger().read().get(me)?.get('a')?.ids ?? [];
      expect(
        idsIn(ranges).every((id) => id >= 10 && id <= 30),
        whole.slice(0, length),
      ).toBe(true);
      writeFileSync(path, whole);
    }
  });

  test('says at each moment what is held, also while it begins anew', async () => {
    const ledger = openLedger();
    const begin = () => ledger.rewrite([[me, 'q', { ids: [{ first: 1, last: 1 }], leases: [] }]]);
    begin();
    const reader = spawn(process.execPath, [
      '-e',
      `for (let i = 0; i < 50000; i++)
         if (require('node:fs').readFileSync(process.argv[1], 'utf8') !== '= this\\n${me} q 1-1\\n') process.exit(1);`,
      path,
    ]);
    const ended = once(reader, 'exit');
    while (reader.exitCode === null) {
      for (let i = 0; i < 100; i++) begin();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await ended).toEqual([0, null]);
    ledger.close();
  });

  test('of another store counts for nothing: the folder was copied', () => {
    openLedger().rewrite([[me, 'a', { ids: [{ first: 1, last: 1 }], leases: [] }]]);
    expect(openLedger().read().size).toBe(1);
    expect(openLedger('other').read().size).toBe(0);
  });

  test('of mq 0.5 is read', () => {
    writeFileSync(path, '12 345 a 1-3,12.k3x\n12 345 a !12.k3x\n17 1 a 5-5\n17 1\n');
    const given = openLedger().read();
    expect([...given]).toEqual([
      ['12 345', new Map([['a', { ids: [{ first: 1, last: 3 }], leases: new Set() }]])],
    ]);
  });

  test('stays as it is once it is closed', () => {
    const ledger = openLedger();
    ledger.granted(me, 'a', { ids: [{ first: 1, last: 1 }], leases: [] });
    ledger.close();
    ledger.granted(me, 'a', { ids: [{ first: 2, last: 2 }], leases: [] });
    ledger.ended(me);
    ledger.rewrite([]);
    ledger.close();
    expect(openLedger().read().get(me)?.get('a')?.ids).toEqual([{ first: 1, last: 1 }]);
  });
});

describe('after a crash of the daemon', () => {
  let store: Store;
  let events: Events;
  let queues: Queues;
  let other: ChildProcess;

  /** Another daemon on the same store, in which what was held is waiting again. */
  const restart = async () => {
    queues.end();
    await store.settle('q', [{ first: 1, last: 1000 }], 'returned');
    queues = await open();
  };
  const open = () =>
    Queues.open(
      async (its) => {
        events = its;
        return store;
      },
      (error) => expect.unreachable(String(error)),
      openLedger(),
    );
  const waiting = async () => bodiesOf(messagesOf(await store.peek('q', ALL)));
  const joinAs = (pid: number | string) => {
    const owner = queues.enter();
    const holder = typeof pid === 'string' ? pid : pid === process.pid ? me : holderOfPid(pid);
    queues.identify(owner, holder as string);
    return owner;
  };

  beforeEach(async () => {
    store = new MemoryStore(
      { changed: (queue) => events.changed(queue), due: (milliseconds) => events.due(milliseconds) },
      () => Date.now(),
    );
    queues = await open();
    await queues.put(queues.enter(), 'q', packed('a', 'b', 'c', 'd'), { priority: 0 }, 0);
    other = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] });
    await once(other, 'spawn');
  });
  afterEach(async () => {
    queues.end();
    other.kill();
    if (other.exitCode === null && other.signalCode === null) await once(other, 'exit');
  });

  test('what a living process held is kept for it, until it has said what it consumed', async () => {
    const before = joinAs(process.pid);
    const first = await queues.get(before, ['q'], ONE);
    await queues.get(before, ['q'], ONE);
    await restart();
    expect(await waiting()).toEqual(['c', 'd']);
    const after = joinAs(process.pid);
    expect(await queues.done(after, 'q', first?.runs.map(rangeOf) ?? [])).toBe(1);
    const next = await queues.get(after, ['q'], ONE);
    expect(next && bodiesOf(messagesOf(next.runs))).toEqual(['b']);
    expect(await store.stat('q')).toMatchObject({ waiting: 2, held: 1, got: 1 });
  });

  test('what nobody said who they are held is waiting again', async () => {
    await queues.get(queues.enter(), ['q'], ONE);
    await restart();
    expect(await waiting()).toEqual(['a', 'b', 'c', 'd']);
  });

  test('what a process held is waiting again when it has died meanwhile', async () => {
    await queues.get(joinAs(other.pid as number), ['q'], ONE);
    await restart();
    expect(await waiting()).toEqual(['b', 'c', 'd']);
    other.kill('SIGKILL');
    await until(async () => (await waiting()).join() === 'a,b,c,d');
    expect(queues.areHeld).toBe(false);
  });

  describe('who cannot be seen from here (another pid namespace)', () => {
    const away = me.replace(/,\d+,(\d+),(\d+)$/, ',1,$1,$2');

    test('is awaited for 15 seconds, and its messages are back then', async () => {
      await queues.get(joinAs(away), ['q'], ONE);
      vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date', 'hrtime'] });
      try {
        await restart();
        await vi.advanceTimersByTimeAsync(14_000);
        expect(await waiting()).toEqual(['b', 'c', 'd']);
        await vi.advanceTimersByTimeAsync(2000);
        expect(await waiting()).toEqual(['a', 'b', 'c', 'd']);
      } finally {
        vi.useRealTimers();
      }
    });

    test('has again what it held when it comes', async () => {
      const first = await queues.get(joinAs(away), ['q'], ONE);
      await restart();
      const after = joinAs(away);
      expect(await queues.done(after, 'q', first?.runs.map(rangeOf) ?? [])).toBe(1);
      expect(await waiting()).toEqual(['b', 'c', 'd']);
    });
  });

  test('what was held before the machine was started anew is waiting at once', async () => {
    const boot = '00000000-0000-0000-0000-000000000000';
    await queues.get(joinAs(me.replace(/,[0-9a-f-]{36},/, `,${boot},`)), ['q'], ONE);
    await restart();
    expect(await waiting()).toEqual(['a', 'b', 'c', 'd']);
  });

  test('what is bound or held when the daemon makes room stays so for the next one', async () => {
    const owner = joinAs(process.pid);
    await queues.get(owner, ['q'], { ...ONE, lease: { duration: 60_000, isBound: true } });
    queues.end();
    await queues.leave(owner);
    expect(await store.stat('q')).toMatchObject({ waiting: 3, leased: 1 });
  });

  test('it survives one crash after the other', async () => {
    const first = await queues.get(joinAs(process.pid), ['q'], ONE);
    await restart();
    await restart();
    expect(await waiting()).toEqual(['b', 'c', 'd']);
    expect(await queues.done(joinAs(process.pid), 'q', first?.runs.map(rangeOf) ?? [])).toBe(1);
  });

  test('what was consumed is in the ledger until that is recorded, also when it begins anew', async () => {
    const mine = await queues.get(joinAs(process.pid), ['q'], ONE);
    await queues.get(joinAs(other.pid as number), ['q'], ONE);
    await restart();
    const { promise, resolve } = Promise.withResolvers<void>();
    vi.spyOn(store, 'settle').mockReturnValueOnce(promise);
    const done = queues.done(joinAs(process.pid), 'q', mine?.runs.map(rangeOf) ?? []);
    // It asks for more: the ledger begins anew.
    await queues.get(joinAs(other.pid as number), ['q'], ONE);
    expect(openLedger().read().get(me)?.get('q')?.ids).toEqual(mine?.runs.map(rangeOf));
    resolve();
    expect(await done).toBe(1);
  });

  test('who had consumed all that it was given holds nothing', async () => {
    const before = joinAs(process.pid);
    const first = await queues.get(before, ['q'], ONE);
    await queues.done(before, 'q', first?.runs.map(rangeOf) ?? []);
    await restart();
    const after = joinAs(process.pid);
    expect(queues.areHeld).toBe(false);
    expect(after.isAt('q')).toBe(false);
  });

  describe('leases that were bound to a process', () => {
    const BOUND = { ...ONE, lease: { duration: 60_000, isBound: true } };
    const leaseAs = async (pid: number) => {
      const taken = await queues.get(joinAs(pid), ['q'], BOUND);
      return taken?.runs[0]?.leases?.tokens[0] as string;
    };

    test('are still its own when it says so before it asks for more', async () => {
      const lease = await leaseAs(process.pid);
      await restart();
      const after = joinAs(process.pid);
      await queues.extend(after, 'q', [lease], 60_000, 'hold');
      await queues.get(after, ['q'], BOUND);
      expect(await store.stat('q')).toMatchObject({ waiting: 2, leased: 2 });
      await queues.settleLeases('q', [lease], 'done');
      await queues.leave(after);
      expect(await waiting()).toEqual(['b', 'c', 'd']);
    });

    test('are back when it asks for more and did not say so: it has not heard of them', async () => {
      await leaseAs(process.pid);
      await restart();
      const after = joinAs(process.pid);
      const next = await queues.get(after, ['q'], BOUND);
      expect(next && messagesOf(next.runs)).toMatchObject([{ body: 'a', failures: 0 }]);
    });

    test('are not made by a step that waits when the daemon ends: they would be on no record', async () => {
      const place = join(folder, 'store');
      const openStore = () => new SqliteStore(place, SILENT, Date.now);
      store = openStore();
      queues = open();
      await queues.put(queues.enter(), 'q', packed('a'), { priority: 0 }, 0);
      const lease = store.lease.bind(store);
      let ended: Promise<void> | undefined;
      vi.spyOn(store, 'lease').mockImplementationOnce((...args) => {
        const leased = lease(...args);
        queues.end();
        ended = store.end();
        return leased;
      });
      const taken = queues.get(joinAs(process.pid), ['q'], BOUND);
      await expect(taken).rejects.toMatchObject({ code: 'STOPPED' });
      await ended;
      store = openStore();
      expect(await store.stat('q')).toMatchObject({ waiting: 1, leased: 0 });
      await store.end();
    });

    test('are in the ledger also when it has just been begun anew', async () => {
      const ledger = openLedger();
      queues = await Queues.open(
        async (its) => {
          events = its;
          return store;
        },
        (error) => expect.unreachable(String(error)),
        ledger,
      );
      const owner = joinAs(process.pid);
      for (let size = 0; size <= ledger.size; ) {
        size = ledger.size;
        const taken = await queues.get(owner, ['q'], BOUND);
        const leases = taken?.runs[0]?.leases?.tokens as string[];
        if (ledger.size < size)
          expect([...(openLedger().read().get(me)?.get('q')?.leases ?? [])]).toEqual(leases);
        await queues.settleLeases('q', leases, 'returned');
      }
    });

    test('are in the ledger until it is recorded that they are back: the daemon may die before', async () => {
      const owner = joinAs(process.pid);
      const taken = await queues.get(owner, ['q'], BOUND);
      await queues.get(joinAs(other.pid as number), ['q'], BOUND);
      const recorded = () => [...(openLedger().read().get(me)?.get('q')?.leases ?? [])];
      const { promise, resolve } = Promise.withResolvers<void>();
      vi.spyOn(store, 'returnLeases').mockReturnValueOnce(promise);
      const left = queues.leave(owner);
      expect(recorded()).toEqual(taken?.runs[0]?.leases?.tokens);
      // Another one comes back, and the ledger begins anew.
      const third = joinAs(other.pid as number);
      third.isBack = true;
      await queues.get(third, ['q'], ONE);
      expect(recorded()).toEqual(taken?.runs[0]?.leases?.tokens);
      resolve();
      await left;
      expect(recorded()).toEqual([]);
    });

    test.for([
      ['what it had is taken back', 'returnLeases', 'get'],
      ['it claims one', 'extend', 'extend'],
    ] as const)('are back when its connection ends while %s', async ([, step, verb]) => {
      const owner = joinAs(process.pid);
      const taken = await queues.get(owner, ['q'], { ...BOUND, limit: { count: 2, bytes: Infinity } });
      const [first = '', second = ''] = taken?.runs[0]?.leases?.tokens ?? [];
      await restart();
      const after = joinAs(process.pid);
      await queues.extend(after, 'q', [first], 60_000, 'hold');
      const { promise, resolve } = Promise.withResolvers<void>();
      const original = store[step].bind(store) as (...args: unknown[]) => Promise<void>;
      vi.spyOn(store, step).mockImplementationOnce(async (...args: unknown[]) => {
        await original(...args);
        await promise;
      });
      const asked =
        verb === 'get'
          ? queues.get(after, ['q'], BOUND)
          : queues.extend(after, 'q', [second], 60_000, 'hold');
      const left = queues.leave(after);
      resolve();
      await Promise.allSettled([asked, left]);
      expect(await store.stat('q')).toMatchObject({ waiting: 4, leased: 0, held: 0 });
    });

    test('stay on record while they go back because their owner asked for more, though it ends meanwhile', async () => {
      const lease = await leaseAs(process.pid);
      await restart();
      const after = joinAs(process.pid);
      const { promise, resolve } = Promise.withResolvers<void>();
      vi.spyOn(store, 'returnLeases').mockReturnValueOnce(promise);
      const asked = queues.get(after, ['q'], BOUND);
      await queues.leave(after);
      expect([...(openLedger().read().get(me)?.get('q')?.leases ?? [])]).toEqual([lease]);
      resolve();
      await Promise.allSettled([asked]);
    });

    test('of a process that is back on another connection stay its own when the former one ends', async () => {
      const former = joinAs(process.pid);
      await queues.get(former, ['q'], BOUND);
      const owner = joinAs(process.pid);
      const taken = await queues.get(owner, ['q'], BOUND);
      await queues.leave(former);
      expect([...(openLedger().read().get(me)?.get('q')?.leases ?? [])]).toEqual(
        taken?.runs[0]?.leases?.tokens,
      );
    });

    test('are back at once when it is dead', async () => {
      const lease = await leaseAs(other.pid as number);
      other.kill('SIGKILL');
      await once(other, 'exit');
      await restart();
      expect(await waiting()).toEqual(['a', 'b', 'c', 'd']);
      await expect(queues.settleLeases('q', [lease], 'done')).rejects.toMatchObject({ code: 'NOLEASE' });
    });

    test('that were let go stay with whoever has their tokens', async () => {
      const owner = joinAs(process.pid);
      const taken = await queues.get(owner, ['q'], BOUND);
      const lease = taken?.runs[0]?.leases?.tokens[0] as string;
      await queues.extend(owner, 'q', [lease], 60_000, 'free');
      // The process may be dead before the daemon has noticed, and then the daemon.
      await restart();
      await queues.leave(joinAs(process.pid));
      expect(await waiting()).toEqual(['b', 'c', 'd']);
      await queues.settleLeases('q', [lease], 'done');
      expect(await store.stat('q')).toMatchObject({ leased: 0, done: 1 });
    });
  });
});
