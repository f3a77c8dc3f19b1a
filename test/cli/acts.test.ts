import { describe, expect } from 'vitest';
import { type Mq, seq, test } from './mq.ts';

/** A queue of which 'bad' messages have been given up on, with the ids 4 and 5 among its dead letters. */
async function withDeadLetters(mq: Mq): Promise<void> {
  await mq.run(['create', 'q', '--max-attempts', '1']);
  await mq.run(['put', 'q', 'bad 1', 'bad 2', 'good']);
  await mq.run(['work', '-q', '--drain', 'q', '--', 'sh', '-c', 'read -r x; [ "$x" = good ]']);
}
const all = async (mq: Mq, queue: string) => (await mq.run(['get', '-aq', queue])).out;

describe('mq retry', () => {
  test('sends dead letters back to their queue', async ({ mq }) => {
    await withDeadLetters(mq);
    const err = 'mq: retry q.dead: 2 retried\n';
    expect(await mq.run(['retry', 'q.dead'])).toMatchObject({ status: 0, out: '', err });
    expect(await all(mq, 'q')).toBe('bad 1\nbad 2\n');
    expect(await mq.run(['retry', 'q.dead'])).toMatchObject({ status: 3 });
    expect((await mq.run(['retry', 'nowhere'])).status).toBe(5);
  });

  test('retries those that are named, and names what it cannot act on', async ({ mq }) => {
    await withDeadLetters(mq);
    const err = 'mq: retry q.dead: not there, or not to be retried: 1, 99; 1 retried\n';
    expect(await mq.run(['retry', 'q.dead', '1', '5', '99'])).toMatchObject({ status: 5, err });
    expect(await all(mq, 'q')).toBe('bad 2\n');
    await mq.run(['close', 'q']);
    const closed = await mq.run(['retry', 'q.dead', '4', '99']);
    expect(closed).toMatchObject({
      status: 4,
      err: expect.stringMatching(/q is closed.*: 99; 0 retried\nmq open q /),
    });
    await mq.run(['open', 'q']);
    expect((await mq.run(['retry', '-q', 'q.dead', '4'])).status).toBe(0);
  });

  test('lets a message that is delayed be got', async ({ mq }) => {
    await mq.run(['put', '--delay', '1h', 'q', 'a', 'b']);
    expect((await mq.run(['retry', 'q'])).status).toBe(3);
    expect((await mq.run(['retry', 'q', '2'])).status).toBe(0);
    expect(await all(mq, 'q')).toBe('b\n');
  });
});

describe('mq drop', () => {
  test('drops messages, whatever their state', async ({ mq }) => {
    await mq.run(['put', 'q', 'a', 'b', 'c']);
    const lease = (await mq.run(['get', '--lease', '1h', 'q'])).out.split('\t')[0] as string;
    expect(await mq.run(['drop', 'q', '1', '3'])).toMatchObject({
      status: 0,
      err: 'mq: drop q: 2 dropped\n',
    });
    expect((await mq.run(['done', 'q', lease])).status).toBe(5);
    const err = 'mq: drop q: not there, or not to be dropped: 1; 1 dropped\n';
    expect(await mq.run(['drop', 'q', '1', '2'])).toMatchObject({ status: 5, err });
    expect(await mq.stat('q')).toMatchObject({ waiting: 0, leased: 0 });
  });

  test('a command whose message is dropped runs on, and its end does not count', async ({ mq }) => {
    await mq.run(['put', 'q', 'a']);
    const script = 'mq drop -q q $MQ_ID; echo ran; exit 1';
    const env = { ...mq.env, PATH: `${process.cwd()}/bin:${process.env['PATH']}` };
    const work = await mq.run(['work', '--drain', 'q', '--', 'sh', '-c', script], undefined, { env });
    expect(work).toMatchObject({ status: 0, out: 'ran\n' });
    expect(await mq.stat('q')).toMatchObject({ waiting: 0, leased: 0, failed: 0 });
  });
});

describe('mq move with ids', () => {
  test('moves those messages', async ({ mq }) => {
    await mq.run(['put', 'q', 'a', 'b', 'c']);
    expect(await mq.run(['move', 'q', 'to', '3', '1'])).toMatchObject({
      status: 0,
      err: 'mq: move q: 2 moved to to\n',
    });
    expect(await all(mq, 'to')).toBe('c\na\n');
    const err = 'mq: move q: not there, or not to be moved: 1; 1 moved\n';
    expect(await mq.run(['move', 'q', 'to', '1', '2'])).toMatchObject({ status: 5, err });
    await mq.run(['create', 'full', '--maxsize', '1']);
    await mq.run(['put', 'q', 'd', 'e']);
    expect((await mq.run(['move', 'q', 'full', '7', '8'])).status).toBe(3);
    await mq.run(['put', '-q', 'q'], seq(5000));
    const ids = Array.from({ length: 5000 }, (_, i) => `${i + 9}`);
    expect(await mq.run(['move', 'q', 'to', ...ids])).toMatchObject({ status: 0 });
  });
});

test('bad input is one clear line', async ({ mq }) => {
  await mq.run(['put', 'q', 'a']);
  for (const args of [
    ['retry', 'q', 'x'],
    ['drop', 'q', '0'],
    ['drop', 'q', '1.a'],
    ['move', 'q', 'to', '1e3'],
    ['move', '-c', '1', 'q', 'to', '1'],
  ]) {
    const { status, err } = await mq.run(args);
    expect([args, status, err.split('\n').length]).toEqual([args, 2, 2]);
  }
});
