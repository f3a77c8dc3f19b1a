import { constants } from 'node:os';
import { expect, test } from 'vitest';
import { isDiskFull, MqError } from '../src/errors.ts';

/** As Node makes it of an errno: it has no names for all of them. */
const errorOf = (code: string, errno: number) =>
  Object.assign(new Error(`${code}: write`), { code, errno: -errno });

test.each([
  errorOf('ENOSPC', constants.errno.ENOSPC),
  errorOf(`Unknown system error -${constants.errno.EDQUOT}`, constants.errno.EDQUOT),
])('%s says that the disk is full', (error) => {
  expect(isDiskFull(error)).toBe(true);
});

test.each([
  errorOf('EIO', constants.errno.EIO),
  new MqError('IOERROR', 'EIO'),
  new Error('ENOSPC'),
  undefined,
])('%s does not', (error) => {
  expect(isDiskFull(error)).toBe(false);
});
