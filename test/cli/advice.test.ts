import { describe, expect } from 'vitest';
import { test } from './mq.ts';

/** The steps before, the line that fails, its status, and its two lines of output. */
const CASES: [before: string, line: string, status: number, why: RegExp, advice: string][] = [
  ['', 'status', 69, /no daemon runs/, 'Start it with: mq start'],
  ['', 'peek nothing', 5, /there is no queue nothing/, 'mq ls lists the queues.'],
  ['put q a', 'rm q', 2, /queue q has 1 unfinished message/, 'mq rm --force q removes it with its messages.'],
  ['create q; mq close q', 'put q a', 4, /queue q is closed/, 'mq open q lets messages in again.'],
  [
    'put q a; mq create to; mq close to',
    'move q to',
    4,
    /to is closed/,
    'mq open to lets messages in again.',
  ],
  [
    'put q a; mq create out; mq close out',
    'work q --drain --into out -- echo {}',
    4,
    /queue out is closed/,
    'mq open out lets messages in again.',
  ],
  ['create q', 'create q --retry-delay 2s', 2, /--retry-delay 1000ms, not 2000ms/, 'mq set q changes'],
  ['', 'put q -p 1 a', 2, /a fifo queue/, 'mq create q --kind priority makes'],
  ['create q', 'done q 1.a', 5, /there is no lease '1.a'/, 'A lease is gone when it has run out'],
  [
    'put q a',
    'set q --kind lifo',
    2,
    /has 1 unfinished message/,
    'Its kind can be changed while it is empty',
  ],
];

describe('an error says what to do about it', () => {
  test.for(CASES)('%s; mq %s', async ([before, line, status, why, advice], { mq }) => {
    if (before !== '') await mq.sh(`mq ${before}`);
    const result = await mq.run(line.split(' '));
    const [first, second, ...rest] = result.err.split('\n');
    expect({ status: result.status, rest }).toEqual({ status, rest: [''] });
    expect(first).toMatch(why);
    expect(second).toContain(advice);
  });
});

describe('no message, and yet some', () => {
  test('peek and join say how many are delayed and leased', async ({ mq }) => {
    await mq.sh('mq put --delay 1h q a b; mq put q c; mq get --lease 1h q');
    expect((await mq.run(['peek', 'q'])).err).toBe(
      'mq: peek q: no message is waiting (2 delayed, 1 leased)\n',
    );
    expect((await mq.run(['join', '-n', 'q'])).err).toBe(
      'mq: join q: messages are unfinished (2 delayed, 1 leased)\n',
    );
    await mq.run(['create', 'empty']);
    expect((await mq.run(['peek', 'empty'])).err).toBe('mq: peek empty: no message is waiting\n');
  });

  test('get says so on a terminal', async ({ mq }) => {
    await mq.run(['put', '--delay', '1h', 'q', 'a']);
    const { out } = await mq.sh(
      'script -qec "mq get -n q; mq get -n mistyped; mq get -qn mistyped" /dev/null',
    );
    expect(out).toBe(
      'mq: get q: no message (1 delayed)\r\nmq: get mistyped: no message (there is no queue mistyped)\r\n',
    );
    expect((await mq.run(['get', '-n', 'q'])).err).toBe('mq: get q: no message\n');
  });
});
