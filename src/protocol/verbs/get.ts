import { MqError } from '../../errors.ts';
import { LONGEST_DELAY } from '../../settings.ts';
import type { Until } from '../../until.ts';
import { count, flag, integer, parseRange, type RequestOf, type Row, rangeWord, timeout } from './row.ts';

export const GET: Row<RequestOf<'GET'>> = {
  start: () => ({
    verb: 'GET',
    queues: [],
    timeout: Infinity,
    count: undefined,
    hold: false,
    lease: undefined,
    id: undefined,
    origin: undefined,
    ahead: undefined,
    packed: undefined,
    until: undefined,
    done: undefined,
  }),
  operands: [
    {
      write: ({ queues }) => queues.slice(0, 1),
      read: (words, { queues }) => {
        queues.push(words.name());
      },
    },
  ],
  options: [
    {
      names: ['OR'],
      write: ({ queues }) => queues.slice(1).flatMap((queue) => ['OR', queue]),
      read: (words, { queues }) => {
        queues.push(words.name());
      },
    },
    timeout,
    count,
    integer('LEASE', 'lease', 1, LONGEST_DELAY),
    integer('ID', 'id', 1),
    integer('AHEAD', 'ahead', 0),
    flag('HOLD', 'hold'),
    flag('ORIGIN', 'origin'),
    flag('PACKED', 'packed'),
    {
      names: ['UNTIL'],
      write: ({ until }) => (until ? ['UNTIL', until.toUpperCase()] : []),
      read: (words, request) => {
        request.until = parseUntil(words.next('what UNTIL is for'));
      },
    },
    // The last one: its ids go on to the end.
    {
      names: ['DONE'],
      write: ({ done }) => (done ? ['DONE', done.queue, ...done.ids.map(rangeWord)] : []),
      read: (words, request) => {
        request.done = { queue: words.name(), ids: words.all('the id of a message').map(parseRange) };
      },
    },
  ],
  check({ queues, id, ahead, lease, count }) {
    if (id !== undefined && queues.length > 1) throw new MqError('USAGE', 'ID goes with one queue');
    if (ahead !== undefined && (lease === undefined || count === undefined || ahead > count))
      throw new MqError('USAGE', 'AHEAD goes with LEASE, and takes at most COUNT');
  },
};

function parseUntil(word: string): Until {
  const until = (['drained', 'finished', 'idle'] as const).find((each) => each === word.toLowerCase());
  if (until === undefined) throw new MqError('USAGE', `UNTIL takes DRAINED, FINISHED or IDLE`);
  return until;
}
