import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ownHolder } from '../../src/holder.ts';
import { Ledger } from '../../src/store/sqlite/ledger.ts';
import { idsIn } from './messages.ts';

const me = ownHolder();

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

  /** Items for which there is room, and some more. */
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
