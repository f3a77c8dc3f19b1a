import { closeSync, constants, fstatSync, readFileSync, readSync, writeSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { openPipe, openTemporary, temporaryWith } from '../../src/stdio/temporary.ts';

const open: number[] = [];
const kept = (fd: number) => {
  open.push(fd);
  return fd;
};
afterEach(() => {
  for (const fd of open.splice(0)) closeSync(fd);
});

test('a temporary file has no name', () => {
  const fd = kept(openTemporary());
  expect(fstatSync(fd)).toMatchObject({ nlink: 0, size: 0 });
});

test('what is appended to a temporary file goes to its end', () => {
  const fd = kept(openTemporary(constants.O_APPEND));
  writeSync(fd, 'one');
  writeSync(fd, 'two', 0);
  expect(readAt(fd, 0)).toBe('onetwo');
});

test.each([
  ['a small one', 3],
  ['one that is too large for memory', 100_000],
])('a file with bytes is read from its start: %s', (_, size) => {
  const bytes = Buffer.alloc(size, 'x');
  const fd = kept(temporaryWith(bytes));
  expect(fstatSync(fd).nlink).toBe(0);
  expect(readFileSync(fd).equals(bytes)).toBe(true);
});

test('a pipe is one, and the end that stays here does not block', async () => {
  const { reader, writer } = await openPipe('reader');
  kept(reader);
  expect(fstatSync(reader).isFIFO()).toBe(true);
  expect(() => readSync(reader, Buffer.alloc(1))).toThrow(expect.objectContaining({ code: 'EAGAIN' }));
  writeSync(writer, 'x');
  expect(readAt(reader)).toBe('x');
  closeSync(writer);
  expect(readAt(reader)).toBe('');
});

function readAt(fd: number, position: number | null = null): string {
  const buffer = Buffer.alloc(100);
  return buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, position));
}
