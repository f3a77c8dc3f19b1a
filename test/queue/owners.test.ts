import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { holderOfPid, ownHolder } from '../../src/holder.ts';
import { Queues } from '../../src/queue/queues.ts';
import { rangeOf } from '../../src/store/run.ts';
import { Ledger } from '../../src/store/sqlite/ledger.ts';
import { SqliteStore } from '../../src/store/sqlite/sqlite.ts';
import type { Store } from '../../src/store/store.ts';
import { newRamFolder } from '../ram.ts';
import { ALL, bodiesOf, messagesOf, packed } from '../store/messages.ts';
import { until } from '../until.ts';

const me = ownHolder();
const ONE = { limit: { count: 1, bytes: Infinity }, timeout: 0 };

describe('after a crash of the daemon', () => {
  let folder: string;
  let store: Store;
  let queues: Queues;
  let other: ChildProcess;
  const failed = (error: unknown) => expect.unreachable(String(error));

  /** Another daemon on the same store. */
  const restart = async () => {
    queues.end();
    await store.end();
    queues = await open();
  };
  const open = () => {
    const ledger = { path: join(folder, 'ledger'), failed };
    return Queues.open(async (events) => {
      store = new SqliteStore(join(folder, 'store'), events, Date.now, undefined, undefined, ledger);
      return store;
    }, failed);
  };
  /** The messages that are on record for this process. */
  const recorded = () => {
    const { dev, ino } = statSync(join(folder, 'store'));
    const ledger = new Ledger(join(folder, 'ledger'), () => `${dev}:${ino}`, failed);
    const { ids = [], leases = [] } = ledger.read().get(me)?.get('q') ?? {};
    ledger.close();
    return { ids: [...ids], leases: [...leases] };
  };
  const waiting = async () => bodiesOf(messagesOf(await store.peek('q', ALL)));
  const joinAs = (pid: number | string) => {
    const owner = queues.enter();
    const holder = typeof pid === 'string' ? pid : pid === process.pid ? me : holderOfPid(pid);
    queues.identify(owner, holder as string);
    return owner;
  };

  beforeEach(async () => {
    folder = newRamFolder('mq-owners-');
    queues = await open();
    await queues.put(queues.enter(), 'q', packed('a', 'b', 'c', 'd'), { priority: 0 }, 0);
    other = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] });
    await once(other, 'spawn');
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    queues.end();
    await store.end();
    rmSync(folder, { recursive: true });
    other.kill();
    if (other.exitCode === null && other.signalCode === null) await once(other, 'exit');
  });
  /** Lets the next call of a step of the store wait. @returns a function that lets it go on */
  const delay = (step: 'settle' | 'returnLeases') => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const original = store[step].bind(store) as (...args: unknown[]) => Promise<void>;
    vi.spyOn(store, step).mockImplementationOnce(async (...args: unknown[]) => {
      await promise;
      await original(...args);
    });
    return resolve;
  };

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

  test('what was consumed is on record until that is recorded, also when it begins anew', async () => {
    const mine = await queues.get(joinAs(process.pid), ['q'], ONE);
    await queues.get(joinAs(other.pid as number), ['q'], ONE);
    await restart();
    const goOn = delay('settle');
    const done = queues.done(joinAs(process.pid), 'q', mine?.runs.map(rangeOf) ?? []);
    // It asks for more: the ledger begins anew.
    await queues.get(joinAs(other.pid as number), ['q'], ONE);
    expect(recorded().ids).toEqual(mine?.runs.map(rangeOf));
    goOn();
    expect(await done).toBe(1);
  });

  test('what was given back, and then to another process, belongs to the other', async () => {
    const first = joinAs(process.pid);
    const mine = await queues.get(first, ['q'], ONE);
    await queues.get(first, ['q'], ONE);
    await queues.giveBack(first, 'q', mine?.runs.map(rangeOf) ?? []);
    const its = await queues.get(joinAs(other.pid as number), ['q'], ONE);
    expect(its && bodiesOf(messagesOf(its.runs))).toEqual(['a']);
    await restart();
    expect(await queues.done(joinAs(other.pid as number), 'q', its?.runs.map(rangeOf) ?? [])).toBe(1);
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

    test('are on record when a step makes them that waited when the daemon ended', async () => {
      const owner = joinAs(other.pid as number);
      const lease = store.lease.bind(store);
      let ended: Promise<void> | undefined;
      vi.spyOn(store, 'lease').mockImplementationOnce((...args) => {
        const leased = lease(...args);
        queues.end();
        ended = store.end();
        return leased;
      });
      await queues.get(owner, ['q'], BOUND);
      await ended;
      queues = await open();
      expect(await store.stat('q')).toMatchObject({ waiting: 3, leased: 1 });
      other.kill('SIGKILL');
      await until(async () => (await waiting()).join() === 'a,b,c,d');
    });

    test('are on record also when it has just been begun anew', async () => {
      const owner = joinAs(process.pid);
      const sizeOf = () => statSync(join(folder, 'ledger')).size;
      for (let size = 0, before = -1; before < size; before = size, size = sizeOf()) {
        const taken = await queues.get(owner, ['q'], { ...BOUND, limit: ALL });
        const leases = taken?.runs.flatMap((run) => run.leases?.tokens ?? []) ?? [];
        if (sizeOf() < size) expect(recorded().leases).toEqual(leases);
        await queues.settleLeases('q', leases, 'returned');
      }
    });

    test('are on record until it is recorded that they are back: the daemon may die before', async () => {
      const owner = joinAs(process.pid);
      const taken = await queues.get(owner, ['q'], BOUND);
      await queues.get(joinAs(other.pid as number), ['q'], BOUND);
      const goOn = delay('returnLeases');
      const left = queues.leave(owner);
      expect(recorded().leases).toEqual(taken?.runs[0]?.leases?.tokens);
      // Another one comes back, and the ledger begins anew.
      const third = joinAs(other.pid as number);
      third.isBack = true;
      await queues.get(third, ['q'], ONE);
      expect(recorded().leases).toEqual(taken?.runs[0]?.leases?.tokens);
      goOn();
      await left;
      expect(recorded().leases).toEqual([]);
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
      const goOn = delay('returnLeases');
      const asked = queues.get(after, ['q'], BOUND);
      await queues.leave(after);
      expect(recorded().leases).toEqual([lease]);
      goOn();
      await Promise.allSettled([asked]);
    });

    test('of a process that is back on another connection stay its own when the former one ends', async () => {
      const former = joinAs(process.pid);
      await queues.get(former, ['q'], BOUND);
      const owner = joinAs(process.pid);
      const taken = await queues.get(owner, ['q'], BOUND);
      await queues.leave(former);
      expect(recorded().leases).toEqual(taken?.runs[0]?.leases?.tokens);
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
