import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { holderOf, isLiving, Ledger } from '../../src/queue/ledger.ts';
import { Queues } from '../../src/queue/queues.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { type OnChange, rangeOf, type Store } from '../../src/store/store.ts';
import { ALL, bodiesOf, idsIn, messagesOf, packed } from '../store/messages.ts';

const me = holderOf(process.pid) as string;
const ONE = { count: 1, bytes: Infinity };

let folder: string;
let path: string;
const openLedger = () => new Ledger(path, (error) => expect.unreachable(String(error)));
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mq-ledger-'));
  path = join(folder, 'ledger');
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('a holder', () => {
  test('is one process for good', () => {
    expect(holderOf(process.pid)).toBe(me);
    expect(isLiving(me)).toBe(true);
    expect(isLiving(`${process.pid} 1`)).toBe(false);
  });

  test('is nothing when there is no such process', () => {
    const { pid } = spawnSync('true');
    expect(holderOf(pid)).toBeUndefined();
  });
});

describe('Ledger', () => {
  test('knows what was given to the living, and not what was given to others', () => {
    const ledger = openLedger();
    ledger.given(me, 'a', [
      { first: 1, last: 3 },
      { first: 7, last: 7 },
    ]);
    ledger.given(me, 'b', [{ first: 4, last: 4 }]);
    ledger.given(me, 'a', [{ first: 9, last: 9 }]);
    ledger.given(`${process.pid} 1`, 'a', [{ first: 5, last: 5 }]);
    ledger.close();
    const [[holder, queues]] = [...openLedger().read()] as [[string, Map<string, unknown>]];
    expect(holder).toBe(me);
    expect([...queues]).toEqual([
      [
        'a',
        [
          { first: 1, last: 3 },
          { first: 7, last: 7 },
          { first: 9, last: 9 },
        ],
      ],
      ['b', [{ first: 4, last: 4 }]],
    ]);
  });

  test('forgets who is through, and is empty when all are', () => {
    const ledger = openLedger();
    ledger.given(me, 'a', [{ first: 1, last: 1 }]);
    ledger.given('1 other', 'a', [{ first: 2, last: 2 }]);
    ledger.through(me);
    expect(openLedger().read().size).toBe(0);
    expect(ledger.size).toBeGreaterThan(0);
    ledger.through('1 other');
    expect(ledger.size).toBe(0);
    expect(statSync(path).size).toBe(0);
  });

  test('a line that was cut off gives nothing that was not given', () => {
    openLedger().given(me, 'a', [{ first: 10, last: 30 }]);
    const whole = readFileSync(path, 'utf8');
    for (let length = 0; length < whole.length; length++) {
      truncateSync(path, length);
      const ranges = openLedger().read().get(me)?.get('a') ?? [];
      expect(
        idsIn(ranges).every((id) => id >= 10 && id <= 30),
        whole.slice(0, length),
      ).toBe(true);
      writeFileSync(path, whole);
    }
  });

  test('stays as it is once it is closed', () => {
    const ledger = openLedger();
    ledger.given(me, 'a', [{ first: 1, last: 1 }]);
    ledger.close();
    ledger.given(me, 'a', [{ first: 2, last: 2 }]);
    ledger.through(me);
    ledger.rewrite([]);
    ledger.close();
    expect(openLedger().read().get(me)?.get('a')).toEqual([{ first: 1, last: 1 }]);
  });
});

describe('after a crash of the daemon', () => {
  let store: Store;
  let onChange: OnChange;
  let queues: Queues;
  let other: ChildProcess;

  /** Another daemon on the same store, in which what was held is waiting again. */
  const restart = async () => {
    queues.end();
    await store.settle('q', [{ first: 1, last: 1000 }], 'returned');
    queues = open();
    await queues.recover();
  };
  const open = () =>
    new Queues((changed) => {
      onChange = changed;
      return store;
    }, openLedger());
  const waiting = async () => bodiesOf(messagesOf(await store.peek('q', ALL)));
  const joinAs = (pid: number) => {
    const consumer = queues.join();
    queues.identify(consumer, pid);
    return consumer;
  };

  beforeEach(async () => {
    store = new MemoryStore((queue) => onChange(queue));
    queues = open();
    await queues.put(queues.join(), 'q', packed('a', 'b', 'c', 'd'), { priority: 0 }, 0);
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
    const first = await queues.get(before, ['q'], ONE, 0);
    await queues.get(before, ['q'], ONE, 0);
    await restart();
    expect(await waiting()).toEqual(['c', 'd']);
    const after = joinAs(process.pid);
    expect(await queues.done(after, 'q', first?.runs.map(rangeOf) ?? [])).toBe(1);
    const next = await queues.get(after, ['q'], ONE, 0);
    expect(next && bodiesOf(messagesOf(next.runs))).toEqual(['b']);
    expect(await store.stat('q')).toMatchObject({ waiting: 2, held: 1, got: 1 });
  });

  test('what nobody said who they are held is waiting again', async () => {
    await queues.get(queues.join(), ['q'], ONE, 0);
    await restart();
    expect(await waiting()).toEqual(['a', 'b', 'c', 'd']);
  });

  test('what a process held is waiting again when it has died meanwhile', async () => {
    await queues.get(joinAs(other.pid as number), ['q'], ONE, 0);
    await restart();
    expect(await waiting()).toEqual(['b', 'c', 'd']);
    other.kill('SIGKILL');
    await vi.waitFor(async () => expect(await waiting()).toEqual(['a', 'b', 'c', 'd']), 10_000);
    expect(queues.areHeld).toBe(false);
  });

  test('it survives one crash after the other', async () => {
    const first = await queues.get(joinAs(process.pid), ['q'], ONE, 0);
    await restart();
    await restart();
    expect(await waiting()).toEqual(['b', 'c', 'd']);
    expect(await queues.done(joinAs(process.pid), 'q', first?.runs.map(rangeOf) ?? [])).toBe(1);
  });

  test('who had consumed all that it was given holds nothing', async () => {
    const before = joinAs(process.pid);
    const first = await queues.get(before, ['q'], ONE, 0);
    await queues.done(before, 'q', first?.runs.map(rangeOf) ?? []);
    await restart();
    const after = joinAs(process.pid);
    expect(queues.areHeld).toBe(false);
    expect(after.holdsOf('q')).toBe(false);
  });
});
