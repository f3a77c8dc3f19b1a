import { expect, test } from 'vitest';
import type { Held } from '../../src/client/held.ts';
import { leaseRenderer, renderer, renderJson } from '../../src/output/render.ts';
import { pack } from '../../src/packed.ts';

const LONG = 'x'.repeat(100);

const run = (...bodies: (string | Buffer)[]): Held => ({
  queue: 'q',
  id: 1,
  step: 1,
  priority: 0,
  putAt: 0,
  attempt: 1,
  messages: pack(bodies.map((body) => Buffer.from(body))),
});

test('messages stand one behind the other, each with its separator', () => {
  const { bytes, ends } = renderer(0x0a)([run('a', ''), run(LONG, 'b')]);
  expect(bytes.toString()).toBe(`a\n\n${LONG}\nb\n`);
  expect([...ends]).toEqual([2, 3, 104, 106]);
});

test('without a separator nothing stands between them', () => {
  const { bytes, ends } = renderer(undefined)([run('a', 'b')]);
  expect([bytes.toString(), ...ends]).toEqual(['ab', 1, 2]);
});

test('a lease stands before its message', () => {
  const leases = { tokens: ['1.a', '2.b'], until: 0 };
  const { bytes, ends } = leaseRenderer(0)([{ ...run('x', 'y'), leases }]);
  expect(bytes.toString()).toBe('1.a\tx\x002.b\ty\0');
  expect([...ends]).toEqual([6, 12]);
});

test('JSON has a message on each line, in base64 where it is no UTF-8', () => {
  const leases = { tokens: ['1.a', '2.b'], until: 1000 };
  const { bytes } = renderJson([{ ...run('ä\n', Buffer.of(0xff)), leases }]);
  const lines = bytes.toString().trimEnd().split('\n');
  const common = {
    queue: 'q',
    priority: 0,
    attempt: 1,
    put_at: '1970-01-01T00:00:00.000Z',
    lease_until: '1970-01-01T00:00:01.000Z',
  };
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { ...common, id: 1, body: 'ä\n', lease: '1.a' },
    { ...common, id: 2, body_base64: '/w==', lease: '2.b' },
  ]);
});
