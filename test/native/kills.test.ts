import { describe, expect } from 'vitest';
import { type Mq, test, until } from '../cli/mq.ts';
import { kills } from '../kills.ts';

/** How many SIGKILLs of each kind. */
const KILLS = kills(30);

/** In ms: a call of the front, or of Node, takes less when nothing is in its way. */
const CALL = process.env['MQ_FRONT'] === '0' ? 120 : 6;

const MINUTE = 60_000;
const limit = 2 * MINUTE + KILLS * 3000;

/** The process that is killed. Of the daemon's kills, those that follow find a command that has just come back to the next one. */
const TARGETS = ['front', 'daemon'] as const;

describe.for(TARGETS)('SIGKILL of the %s at random moments', (target) => {
  test('put: what it has said is stored once, and the rest at most once', { timeout: limit }, async ({
    mq,
  }) => {
    await mq.run(['create', 'q']);
    const said: string[] = [];
    await killing(mq, async (i) => {
      const message = `m${i}`;
      const put =
        i % 2 === 0 ? mq.start(['put', 'q', message]) : mq.start(['put', 'q'], { input: `${message}\n` });
      await killAtRandom(mq, target, put.child);
      const { status, err } = await put.done;
      if (target === 'daemon') expect({ status, err }).toEqual({ status: 0, err: '' });
      if (status === 0) said.push(message);
    });
    const stored = (await mq.run(['get', '-aq', 'q'])).out.split('\n').slice(0, -1);
    expect(new Set(stored).size).toBe(stored.length);
    expect(said.filter((message) => !stored.includes(message))).toEqual([]);
    if (target === 'daemon') expect(stored.length).toBe(KILLS);
  });

  test('get: each message is printed or there; a kill between the two prints it again', {
    timeout: limit,
  }, async ({ mq }) => {
    await mq.run(['put', 'q'], Array.from({ length: KILLS }, (_, i) => `m${i}\n`).join(''));
    const printed: string[] = [];
    await killing(mq, async () => {
      const get = mq.start(['get', 'q']);
      await killAtRandom(mq, target, get.child);
      const { status, out, err } = await get.done;
      if (target === 'daemon') expect({ status, err }).toEqual({ status: 0, err: '' });
      // A message is written as a whole.
      if (out !== '') printed.push(out.slice(0, -1));
    });
    await settled(mq);
    const left = (await mq.run(['get', '-aq', 'q'])).out.split('\n').slice(0, -1);
    const all = new Set([...printed, ...left]);
    expect(all.size).toBe(KILLS);
    expect(new Set(left).size).toBe(left.length);
    if (target === 'daemon') {
      expect(new Set(printed).size).toBe(printed.length);
      expect(left.length).toBe(0);
    }
  });

  test('get --lease and done: each message is done once, or there', { timeout: 2 * limit }, async ({
    mq,
  }) => {
    await mq.run(['put', 'q'], Array.from({ length: KILLS }, (_, i) => `m${i}\n`).join(''));
    const done = new Set<string>();
    const leased = new Set<string>();
    await killing(mq, async () => {
      const get = mq.start(['get', '-n', '--lease', '1h', 'q']);
      await killAtRandom(mq, target, get.child);
      const { status, out, err } = await get.done;
      if (target === 'daemon') expect({ status, err }).toEqual({ status: 0, err: '' });
      const [lease, message] = out.slice(0, -1).split('\t') as [string, string?];
      if (message === undefined) return;
      const command = mq.start(['done', 'q', lease]);
      await killAtRandom(mq, target, command.child);
      const result = await command.done;
      if (target === 'daemon') expect(result).toMatchObject({ status: 0, err: '' });
      if (result.status === 0) {
        expect(done.has(message)).toBe(false);
        done.add(message);
      }
      // Killed before it was bound to nobody, the lease ended with get, and done has found none.
      else expect([5, undefined]).toContain(result.status);
      if (result.status === undefined) leased.add(message);
    });
    await settled(mq);
    const state = await mq.stat('q');
    const left = (await mq.run(['get', '-aq', 'q'])).out.split('\n').slice(0, -1);
    expect(left.filter((message) => done.has(message))).toEqual([]);
    // A message that is neither done nor there has a lease, or its done was killed once it was carried out.
    const elsewhere = KILLS - done.size - left.length;
    expect(elsewhere).toBeGreaterThanOrEqual(Number(state['leased']));
    expect(elsewhere).toBeLessThanOrEqual(leased.size + Number(state['leased']));
    if (target === 'daemon') expect(done.size).toBe(KILLS);
  });
});

/** Does something until so many have been killed. */
async function killing(mq: Mq, each: (i: number) => Promise<void>): Promise<void> {
  for (let i = 0; i < KILLS; i++) await each(i);
  await mq.run(['start']);
}

async function killAtRandom(
  mq: Mq,
  target: (typeof TARGETS)[number],
  child: { kill: (signal: NodeJS.Signals) => boolean },
): Promise<void> {
  const end = performance.now() + Math.random() * CALL;
  // Shorter than what a timer can wait.
  while (performance.now() < end) await new Promise((resolve) => setImmediate(resolve));
  if (target === 'front') child.kill('SIGKILL');
  else await mq.killDaemon();
}

/** Held messages are back. */
async function settled(mq: Mq): Promise<void> {
  const consumers = async () => Number((await mq.stat('q'))['consumers'] ?? 0);
  await until(async () => (await consumers()) === 0);
}
