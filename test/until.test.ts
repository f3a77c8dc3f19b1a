import { expect, test } from 'vitest';
import { until } from './until.ts';

const nothing = { isThere: false };

test('waits until the condition holds', async () => {
  let looks = 0;
  await until(async () => ++looks === 3);
  expect(looks).toBe(3);
});

test('a wait in vain ends, and says what it waited for, and where', async () => {
  const error = await until(() => nothing.isThere, 20).catch((error: Error) => error);
  expect(error).toMatchObject({
    message: 'waited 0.02 s in vain until nothing.isThere',
    stack: expect.stringContaining('until.test.ts'),
  });
});

test('names of other modules are as they are in the source', async () => {
  const error = await until(() => until === undefined, 20).catch((error: Error) => error);
  expect(error).toMatchObject({ message: 'waited 0.02 s in vain until until === undefined' });
});
