import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Reserve } from '../src/reserve.ts';

const MB = 1024 * 1024;
let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mq-reserve-'));
  path = join(folder, 'reserve');
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('Reserve', () => {
  test('takes up as much room as it says, also where a file system compresses', () => {
    const reserve = new Reserve(path);
    expect(reserve.size).toBe(0);
    reserve.grow(MB + 1);
    expect([reserve.size, statSync(path).size]).toEqual([MB + 1, MB + 1]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(gzipSync(readFileSync(path)).length).toBeGreaterThan(0.9 * MB);
    reserve.grow(MB);
    expect(reserve.size).toBe(MB + 1);
    expect(new Reserve(path).size).toBe(MB + 1);
  });

  test('is given up in parts, until there is none', () => {
    const reserve = new Reserve(path);
    expect(reserve.giveUp(1)).toBe(false);
    reserve.grow(1000);
    expect(reserve.giveUp(600)).toBe(true);
    expect([reserve.size, statSync(path).size]).toEqual([400, 400]);
    expect(reserve.giveUp(600)).toBe(true);
    expect([reserve.size, reserve.giveUp(600)]).toEqual([0, false]);
    reserve.grow(500);
    expect(statSync(path).size).toBe(500);
  });

  test.each(['a folder', 'a pipe', 'a link to itself', 'a folder that has gone'])(
    'where it cannot be, as with %s, there is none',
    (what) => {
      if (what === 'a folder') mkdirSync(path);
      else if (what === 'a pipe') spawnSync('/usr/bin/mkfifo', [path]);
      else if (what === 'a link to itself') symlinkSync(path, path);
      else path = join(folder, 'gone', 'reserve');
      const reserve = new Reserve(path);
      reserve.grow(1000);
      expect([reserve.size, reserve.giveUp(1000)]).toEqual([0, false]);
    },
  );

  test('is as large as there is room for', ({ skip }) => {
    const disk = join(folder, 'disk');
    mkdirSync(disk);
    const { status } = spawnSync('/bin/mount', ['-t', 'tmpfs', '-o', 'size=1m', 'mq-test', disk]);
    if (status !== 0) skip('no small disk can be mounted here');
    try {
      const reserve = new Reserve(join(disk, 'reserve'));
      reserve.grow(2 * MB);
      expect(reserve.size).toBe(MB);
      expect(() => writeFileSync(join(disk, 'other'), 'x')).toThrow('ENOSPC');
      reserve.giveUp(4096);
      writeFileSync(join(disk, 'other'), 'x');
    } finally {
      spawnSync('/bin/umount', ['--lazy', disk]);
    }
  });
});
