import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MqError } from '../src/errors.ts';
import { openOwn, reasonOf, unusable } from '../src/reasons.ts';

const errorOf = (code: string, errno: number) => Object.assign(new Error(`${code}: open`), { code, errno });

test.each([
  [errorOf('ENOSPC', -28), 'DISKFULL', 'no space left on device'],
  [errorOf('Unknown system error -122', -122), 'DISKFULL', 'disk quota exceeded'],
  [errorOf('EACCES', -13), 'NOTALLOWED', 'permission denied'],
  [errorOf('ENOENT', -2), 'NOTALLOWED', 'no such file or directory'],
  [errorOf('EIO', -5), 'IOERROR', 'i/o error'],
  [errorOf('EMFILE', -24), 'IOERROR', 'too many open files'],
  // The mount that the root folder is on is not read-only.
  [errorOf('EROFS', -30), 'IOERROR', 'read-only file system'],
] as const)('%s: %s, %s', (cause, code, reason) => {
  expect(unusable('the log cannot be written', '/', cause)).toMatchObject({
    code,
    message: `the log cannot be written: ${reason}`,
  });
});

test('names of errors, and what is none of the system, have words too', () => {
  expect(['ENOTDIR', new MqError('GONE', 'it went away'), 'else'].map(reasonOf)).toEqual([
    'not a directory',
    'it went away',
    'else',
  ]);
});

test('a file is opened, and made where it is not there; a folder is refused', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mq-reasons-'));
  const fd = openOwn('the log', join(folder, 'log'), 'a+');
  expect(readFileSync(fd, 'utf8')).toBe('');
  expect(() => openOwn('the log', folder, 'a')).toThrow(expect.objectContaining({ code: 'NOTALLOWED' }));
  rmSync(folder, { recursive: true });
});
