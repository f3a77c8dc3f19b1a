import { isUtf8 } from 'node:buffer';
import { MqError } from '../../errors.ts';
import { NOTHING } from '../../packed.ts';
import { LEAST_PRIORITY, LONGEST_DELAY, MOST_PRIORITY } from '../../settings.ts';
import { asLease, delay, flag, integer, once, type RequestOf, type Row, readClient, timeout } from './row.ts';

type Put = RequestOf<'PUT'>;

const priority = integer('PRIORITY', 'priority', LEAST_PRIORITY, MOST_PRIORITY);

export const PUT: Row<Put> = {
  start: () => ({
    verb: 'PUT',
    queue: '',
    messages: NOTHING,
    priority: 0,
    timeout: Infinity,
    client: undefined,
    delay: undefined,
    ttl: undefined,
    key: undefined,
    done: undefined,
    once: undefined,
    ids: undefined,
  }),
  // Options stand before the queue: a message may look like anything.
  options: [
    timeout,
    { ...priority, write: (request) => (request.priority === 0 ? [] : priority.write(request)) },
    delay,
    integer('TTL', 'ttl', 1, LONGEST_DELAY),
    {
      // ID was its name until 0.5.
      names: ['KEY', 'ID'],
      write: ({ key }) => (key === undefined ? [] : ['KEY', key]),
      read: (words, request) => {
        request.key = checkKey(words.bytes('a key'));
      },
    },
    {
      names: ['CLIENT'],
      write: ({ client }) => (client ? ['CLIENT', client.id, String(client.index)] : []),
      read: (words, request) => {
        request.client = { id: readClient(words), index: words.integer('CLIENT', 0) };
      },
    },
    {
      names: ['DONE'],
      write: ({ done }) => (done ? ['DONE', done.queue, done.lease] : []),
      read: (words, request) => {
        request.done = { queue: words.name(), lease: asLease(words.next('a lease')) };
      },
    },
    once,
    flag('IDS', 'ids'),
    {
      names: ['QUEUE'],
      write: ({ queue }) => ['QUEUE', queue],
      read: (words, request) => {
        request.queue = words.name();
        return 'end';
      },
    },
  ],
  rest: {
    // The messages are bytes, and follow as they are.
    write: () => [],
    read: (words, request) => {
      request.queue ||= words.name();
      if (!words.more) throw new MqError('USAGE', 'a message is missing');
      request.messages = words.messages();
    },
  },
  check({ key, messages, once, done, ids }) {
    if (key !== undefined && messages.count > 1) throw new MqError('USAGE', 'KEY goes with one message');
    if (once && !done) throw new MqError('USAGE', 'ONCE goes with DONE');
    if (ids && done) throw new MqError('USAGE', 'IDS does not go with DONE');
  },
};

/** Bytes of the longest key. */
export const LONGEST_KEY = 1024;

/** Keys are compared as text: bytes that stand for none would make two of them the same. */
function checkKey(bytes: Buffer): string {
  if (bytes.length === 0 || bytes.length > LONGEST_KEY || !isUtf8(bytes))
    throw new MqError('USAGE', `a key has 1 to ${LONGEST_KEY} bytes of UTF-8`);
  return bytes.toString();
}
