import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { holderOfPid, isHolder, ownHolder, stateOf } from '../src/holder.ts';

const me = ownHolder();
const [token, boot, namespace, pid, start] = me.split(',') as [string, string, string, string, string];
const holder = (...words: string[]) => words.join(',');

describe('a holder', () => {
  test('is one word, and a process has one', () => {
    expect(isHolder(me)).toBe(true);
    expect(ownHolder()).toBe(me);
    expect(['', 'a,b', `${me} x`, `${me},x`, '12 345'].filter(isHolder)).toEqual([]);
  });

  test('lives as long as its process', () => {
    expect(stateOf(me)).toBe('living');
    expect(stateOf(holder(token, boot, namespace, pid, '1'))).toBe('gone');
    expect(stateOf(holder(token, boot, namespace, String(spawnSync('true').pid), start))).toBe('gone');
  });

  test('is gone with the boot that it was of', () => {
    expect(
      stateOf(
        holder(
          token,
          boot.replace(/^./, (digit) => (digit === '0' ? '1' : '0')),
          namespace,
          pid,
          start,
        ),
      ),
    ).toBe('gone');
  });

  test.each([
    ['of another pid namespace', holder(token, boot, '1', pid, start)],
    ['of a machine without /proc', holder(token, '-', '-', pid, '-')],
  ])('cannot be seen: one %s', (_, other) => {
    expect(isHolder(other)).toBe(true);
    expect(stateOf(other)).toBe('unknown');
  });

  test('up to mq 0.5 is a pid and a start', () => {
    const old = holderOfPid(process.pid) as string;
    expect(stateOf(old)).toBe('living');
    expect(stateOf(`${process.pid} 1`)).toBe('gone');
    expect(holderOfPid(spawnSync('true').pid)).toBeUndefined();
  });
});
