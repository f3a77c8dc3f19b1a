import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Put, Sighting } from './campaign/accounts.ts';
import { check } from './campaign/check.ts';
import { makeMessage, readMessage } from './campaign/message.ts';
import { printed } from './campaign/printed.ts';
import { numberTold } from './campaign/producers.ts';
import { Random } from './campaign/random.ts';
import type { Run } from './campaign/run.ts';
import { World } from './campaign/world.ts';

/** In s, of each of the campaigns here. By hand: npm run campaign -- --duration 30m. */
const DURATION = 5;

describe('a campaign of kills, stops and signals', () => {
  test.for([1, randomInt(1_000_000)])(
    'with seed %i nothing is lost, altered or doubled, and the counters are right',
    { timeout: 600_000 },
    async (seed) => {
      const args = ['test/campaign/campaign.ts', '--seed', String(seed), '--duration', `${DURATION}s`];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      let out = '';
      child.stdout.on('data', (chunk) => {
        out += chunk;
      });
      const status = await new Promise((resolve) => child.on('close', resolve));
      expect(status, out).toBe(0);
      expect(out).toContain(`right: seed ${seed}, 1 rounds`);
    },
  );
});

describe('the verdict on a round', () => {
  /** The kinds of violations, when these were the sightings of the only message of a put. */
  const verdict = (sightings: Partial<Sighting>[], stored: Partial<Put> = {}) => {
    const { world, put } = given(1, { least: 1, most: 1, ...stored });
    const [item] = put.items;
    for (const sighting of sightings)
      world.accounts.sight(item as NonNullable<typeof item>, sightingOf(sighting));
    check(world);
    return kinds(world);
  };

  test('a message that came out once is right', () => {
    expect(verdict([{}])).toEqual([]);
    expect(verdict([{ fate: 'back' }, {}])).toEqual([]);
    expect(verdict([{ fate: 'maybe' }])).toEqual([]);
    expect(verdict([{ fate: 'maybe' }, { fate: 'maybe' }, {}])).toEqual([]);
  });

  test('one that was stored and never came out is lost, and so is one that had to come again', () => {
    expect(verdict([])).toEqual(['lost']);
    expect(verdict([], { least: 0 })).toEqual([]);
    expect(verdict([], { isMortal: true })).toEqual([]);
    expect(verdict([{ fate: 'back' }])).toEqual(['lost']);
  });

  test('one that was consumed twice, or came again after that, is doubled', () => {
    expect(verdict([{}, {}])).toEqual(['doubled']);
    expect(verdict([{ goneBy: 10 }, { fate: 'back', run: runOf({ began: 20 }) }])).toEqual(['doubled']);
    expect(verdict([{ goneBy: 30 }, { fate: 'back', run: runOf({ began: 20 }) }])).toEqual([]);
  });

  test('one that was said not to be stored is not there', () => {
    expect(verdict([{}], { least: 0, most: 0 })).toEqual(['stored and denied']);
  });

  test('what is stored of a put is the first so many', () => {
    const { world, put } = given(3, { least: 0, most: 3 });
    world.accounts.sight(put.items[2] as Put['items'][0], sightingOf({}));
    check(world);
    expect(kinds(world)).toEqual(['lost']);
    expect(world.accounts.violations[0]?.items).toEqual(put.items.slice(0, 2));
  });

  test('a lease comes out once, and an attempt is one that counts', () => {
    const lease = { lease: '1.a', fate: 'back', counts: 'no' } as const;
    expect(verdict([lease, lease, {}])).toEqual(['lease twice']);
    expect(verdict([{ ...lease, attempt: 1 }, { attempt: 2 }])).toEqual(['attempts']);
    expect(verdict([{ ...lease, counts: 'yes', attempt: 1 }, { attempt: 2 }])).toEqual([]);
  });

  test('of what a killed get wrote the last so many come again', () => {
    const { world, put } = given(2, { least: 2, most: 2 });
    const [first, second] = put.items as [Put['items'][0], Put['items'][0]];
    const killed = runOf({ began: 0, ended: 10 });
    for (const item of put.items) world.accounts.sight(item, sightingOf({ fate: 'maybe', run: killed }));
    const again = sightingOf({ run: runOf({ began: 20, ended: 30 }), goneBy: 30 });
    world.accounts.sight(second, again);
    check(world);
    expect(kinds(world)).toEqual([]);
    second.sightings.pop();
    world.accounts.sight(first, again);
    check(world);
    expect(kinds(world)).toEqual(['order of words']);
  });
});

describe('messages of the campaign', () => {
  const random = new Random(1);
  const bytes = makeMessage(random, 12, 100, 'lines');

  test('a message that was altered or cut is noticed', () => {
    expect(readMessage(bytes)).toEqual({ kind: 'input', serial: 12, length: bytes.length });
    expect(readMessage(bytes.subarray(0, -1))).toBe('cut');
    for (let i = 0; i < bytes.length; i++) {
      const altered = Buffer.from(bytes);
      altered[i] = (bytes[i] as number) ^ 1;
      expect(readMessage(altered), `byte ${i}`).not.toEqual({
        kind: 'input',
        serial: 12,
        length: bytes.length,
      });
    }
  });

  test('standard output is cut into messages, of whatever form', () => {
    const other = makeMessage(random, 13, 0, 'lines');
    const end = Buffer.from('\n');
    expect(printed(Buffer.concat([bytes, end, other]), 'lines', false)).toMatchObject({
      entries: [{ body: bytes }],
      rest: other,
    });
    expect(printed(Buffer.concat([bytes, other, Buffer.from('m/')]), 'whole', false)).toMatchObject({
      entries: [{ body: bytes }, { body: other }],
      rest: Buffer.from('m/'),
    });
    expect(printed(Buffer.concat([Buffer.from('1.a\t'), bytes, end]), 'lines', true)).toMatchObject({
      entries: [{ body: bytes, lease: '1.a' }],
    });
  });

  test('the number that a put tells is read', () => {
    expect(numberTold('mq: put q: interrupted; nothing was stored\n')).toBe(0);
    expect(numberTold('mq: put q: interrupted; 1 message was stored\n')).toBe(1);
    expect(numberTold('mq: put q: the daemon was stopped; 20 messages were stored\n')).toBe(20);
    expect(numberTold('mq: put q: queue q is full\n')).toBeUndefined();
  });
});

/** A round in which so many messages were put into a queue. */
function given(count: number, stored: Partial<Put>): { world: World; put: Put } {
  const world = new World('nowhere', 1, new Set());
  const put = world.accounts.newPut('lines', runOf({}), stored);
  for (let i = 0; i < count; i++) world.accounts.newItem(put, String(i), 10);
  return { world, put };
}

function sightingOf(some: Partial<Sighting>): Sighting {
  return { how: 'got', run: runOf({}), at: 0, fate: 'final', why: 'the test', goneBy: 0, ...some };
}

function runOf(some: Partial<Run>): Run {
  return { began: 0, ended: 0, ...some } as Run;
}

function kinds(world: World): string[] {
  return world.accounts.violations.map(({ kind }) => kind);
}
