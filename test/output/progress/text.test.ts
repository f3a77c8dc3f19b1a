import { describe, expect, test } from 'vitest';
import type { Progress } from '../../../src/output/progress/progress.ts';
import { progressText } from '../../../src/output/progress/text.ts';

const messages: Progress = { unit: 'messages', done: () => 345_678, total: () => 1_000_000, quiet: false };

describe('the text of a line of progress', () => {
  test('has a bar, the percentage, how much, how fast and how long still', () => {
    expect(progressText(80, messages, 12_345)).toBe(
      '=======-------------  34%  345678 of 1000000 messages  12300/s  0:00:54 left',
    );
    const bytes: Progress = { unit: 'bytes', done: () => 0, total: () => 0, quiet: false };
    expect(progressText(80, bytes, 0)).toBe('--------------------   0%  0 B of 0 B  0 B/s');
  });

  test('fits in any width: the bar is shorter or left out, and the last words are', () => {
    expect(progressText(77, messages, 1_234_567)).toBe(
      '=======------------  34%  345678 of 1000000 messages  1230000/s  0:00:01 left',
    );
    expect(progressText(70, messages, 12_345)).toBe(
      '=====---------  34%  345678 of 1000000 messages  12300/s  0:00:54 left',
    );
    expect(progressText(60, messages, 12_345)).toBe(
      ' 34%  345678 of 1000000 messages  12300/s  0:00:54 left',
    );
    expect(progressText(45, messages, 12_345)).toBe(' 34%  345678 of 1000000 messages  12300/s');
    expect(progressText(10, messages, 12_345)).toBe('==---  34%');
    for (let columns = 0; columns < 100; columns++)
      expect(progressText(columns, messages, 12_345).length).toBeLessThanOrEqual(columns);
  });
});
