import type { Verb } from '../requests.ts';
import { GET } from './get.ts';
import { HELLO } from './hello.ts';
import { DONE, EXTEND, FAIL, RETURN } from './leases.ts';
import { PUT } from './put.ts';
import {
  CLOSE,
  DROP,
  JOIN,
  LS,
  MOVE,
  named,
  namedOnce,
  PEEK,
  RENAME,
  RETRY,
  RM,
  settings,
} from './queue-rows.ts';
import { choice, integer, name, type RequestOf, type Row, readClient, timeout } from './row.ts';

/** One row for each verb: all that the two ends of a connection need to know of its words. */
export const ROWS: { readonly [V in Verb]: Row<RequestOf<V>> } = {
  HELLO,
  PUT,
  GET,
  DONE,
  FAIL,
  RETURN,
  EXTEND,
  JOIN,
  PIPE: {
    start: () => ({ verb: 'PIPE', pipe: '', direction: 'both', timeout: Infinity, pid: undefined }),
    operands: [name('pipe', 'a pipe')],
    options: [choice('direction', ['send', 'recv']), timeout, integer('PID', 'pid', 1)],
  },
  CREATE: settings('CREATE'),
  SET: settings('SET'),
  PEEK,
  RM,
  RENAME,
  CLOSE,
  OPEN: named('OPEN'),
  PAUSE: namedOnce('PAUSE'),
  RESUME: namedOnce('RESUME'),
  MOVE,
  PURGE: namedOnce('PURGE'),
  RETRY,
  DROP,
  SIZE: named('SIZE'),
  EMPTY: named('EMPTY'),
  FULL: named('FULL'),
  STAT: named('STAT'),
  LS,
  POSITION: {
    start: () => ({ verb: 'POSITION', client: '' }),
    operands: [
      {
        write: ({ client }) => [client],
        read: (words, request) => {
          request.client = readClient(words);
        },
      },
    ],
  },
  ECHO: {
    start: () => ({ verb: 'ECHO', text: Buffer.alloc(0) }),
    operands: [
      {
        write: ({ text }) => [text.toString()],
        read: (words, request) => {
          request.text = words.bytes('a text');
        },
      },
    ],
  },
  STATUS: bare('STATUS'),
  STOP: bare('STOP'),
  PING: bare('PING'),
  QUIT: bare('QUIT'),
  INFO: ofRedis('INFO'),
  COMMAND: ofRedis('COMMAND'),
  CLIENT: ofRedis('CLIENT'),
  SELECT: ofRedis('SELECT'),
};

type Bare = Extract<Verb, 'STATUS' | 'STOP' | 'PING' | 'QUIT' | 'INFO' | 'COMMAND' | 'CLIENT' | 'SELECT'>;

function bare<V extends Bare>(verb: V): Row<RequestOf<V>> {
  return { start: () => ({ verb }) as RequestOf<V> };
}

/** Sent by clients of Redis on their own; whatever follows does not matter here. */
function ofRedis<V extends Bare>(verb: V): Row<RequestOf<V>> {
  return { ...bare(verb), rest: { write: () => [], read: (words) => words.skip() } };
}
