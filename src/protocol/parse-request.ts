import { isUtf8 } from 'node:buffer';
import { MqError } from '../errors.ts';
import { isHolder } from '../holder.ts';
import type { Once } from '../once.ts';
import type { Range } from '../range.ts';
import { LEAST_PRIORITY, LONGEST_DELAY, MOST_PRIORITY, parseKind, type Settings } from '../settings.ts';
import type { Until } from '../until.ts';
import type { Direction, Greeting, Position, Request } from './requests.ts';
import { WordReader } from './word-reader.ts';

/**
 * Reads a request from a frame of a scanner that lets nothing but requests pass.
 * @throws MqError USAGE or BADNAME; the connection can go on after that.
 */
export function parseRequest(frame: Buffer): Request {
  const words = new WordReader(frame);
  const verb = words.next('a verb').toUpperCase();
  const parse = PARSERS[verb];
  if (parse === undefined) throw new MqError('USAGE', `unknown command '${verb.slice(0, 40)}'`);
  const request = parse(words, verb as never);
  words.end();
  return request;
}

/** What the daemon's scanner lets pass: a frame has room for the longest message and for much besides. */
export function requestLimits(maxMessage: number) {
  return { bulk: maxMessage, frame: maxMessage + 1024 * 1024, requests: true };
}

/** 2^31-1 ms is what a timer can wait at most; no message waits that long for want of a larger number. */
const MOST_MILLISECONDS = 2 ** 31 - 1;

const PARSERS: Record<string, (words: WordReader, verb: never) => Request> = {
  HELLO(words) {
    let version: 2 | 3 | undefined;
    let mq: Greeting | undefined;
    if (words.more) {
      const wanted = words.next('');
      if (wanted !== '2' && wanted !== '3')
        throw new MqError('PROTOCOL', `RESP has versions 2 and 3, not ${wanted.slice(0, 20)}`);
      version = wanted === '2' ? 2 : 3;
    }
    words.options({
      MQ: () => {
        mq = { protocol: words.integer('MQ', 0), version: words.next('a version'), replace: false };
      },
      REPLACE: () => {
        if (mq !== undefined) mq.replace = true;
      },
      PROCESS: () => {
        const holder = words.next('a process');
        if (!isHolder(holder)) throw new MqError('USAGE', `'${holder.slice(0, 40)}' names no process`);
        if (mq !== undefined) mq.holder = holder;
      },
      PID: () => {
        const pid = words.integer('PID', 1);
        if (mq !== undefined) mq.pid = pid;
      },
      AUTH: () => {
        words.next('a user');
        words.next('a password');
      },
      SETNAME: () => {
        words.next('a name');
      },
    });
    // A newer client may say more of itself.
    if (mq !== undefined) words.skip();
    return { verb: 'HELLO', version, mq };
  },

  PUT(words) {
    let timeout = Infinity;
    let priority = 0;
    let client: Position | undefined;
    let delay: number | undefined;
    let ttl: number | undefined;
    let key: string | undefined;
    let done: { queue: string; lease: string } | undefined;
    let once: Once | undefined;
    let queue: string | undefined;
    const setKey = () => {
      key = checkKey(words.bytes('a key'));
    };
    // Options stand before the queue: a message may look like anything.
    words.options({
      ...timeoutOptions(words, (ms) => {
        timeout = ms;
      }),
      PRIORITY: () => {
        priority = words.integer('PRIORITY', LEAST_PRIORITY, MOST_PRIORITY);
      },
      CLIENT: () => {
        client = { id: parseClient(words), index: words.integer('CLIENT', 0) };
      },
      DELAY: () => {
        delay = words.integer('DELAY', 0, LONGEST_DELAY);
      },
      TTL: () => {
        ttl = words.integer('TTL', 1, LONGEST_DELAY);
      },
      KEY: setKey,
      // Its name until 0.5.
      ID: setKey,
      DONE: () => {
        done = { queue: words.name(), lease: words.next('a lease').slice(0, 40) };
      },
      ...onceOption(words, (named) => {
        once = named;
      }),
      QUEUE: () => {
        queue = words.name();
        return 'end';
      },
    });
    queue ??= words.name();
    if (!words.more) throw new MqError('USAGE', 'a message is missing');
    const messages = words.messages();
    if (key !== undefined && messages.count > 1) throw new MqError('USAGE', 'KEY goes with one message');
    if (once && !done) throw new MqError('USAGE', 'ONCE goes with DONE');
    return { verb: 'PUT', queue, messages, priority, timeout, client, delay, ttl, key, done, once };
  },

  GET(words) {
    const queues = [words.name()];
    let timeout = Infinity;
    let count: number | undefined;
    let hold = false;
    let lease: number | undefined;
    let packed: boolean | undefined;
    let until: Until | undefined;
    let done: { queue: string; ids: Range[] } | undefined;
    words.options({
      OR: () => {
        queues.push(words.name());
      },
      ...timeoutOptions(words, (ms) => {
        timeout = ms;
      }),
      COUNT: () => {
        count = words.integer('COUNT', 1);
      },
      HOLD: () => {
        hold = true;
      },
      LEASE: () => {
        lease = words.integer('LEASE', 1, LONGEST_DELAY);
      },
      PACKED: () => {
        packed = true;
      },
      UNTIL: () => {
        until = parseUntil(words.next('what UNTIL is for'));
      },
      DONE: () => {
        done = { queue: words.name(), ids: words.all('the id of a message').map(parseRange) };
      },
    });
    return { verb: 'GET', queues, timeout, count, hold, lease, packed, until, done };
  },

  DONE(words) {
    const queue = words.name();
    let once: Once | undefined;
    words.options(
      onceOption(words, (named) => {
        once = named;
      }),
    );
    const items = words.all('the id of a message or a lease');
    const leases = items.filter((item) => item.includes('.'));
    if (leases.length > 0 && leases.length < items.length)
      throw new MqError('USAGE', 'DONE takes ids or leases, not both');
    if (once && leases.length === 0) throw new MqError('USAGE', 'ONCE goes with leases');
    return { verb: 'DONE', queue, ids: leases.length > 0 ? [] : items.map(parseRange), leases, once };
  },

  FAIL(words) {
    const queue = words.name();
    let delay: number | undefined;
    let once: Once | undefined;
    words.options({
      DELAY: () => {
        delay = words.integer('DELAY', 0, LONGEST_DELAY);
      },
      ...onceOption(words, (named) => {
        once = named;
      }),
    });
    return { verb: 'FAIL', queue, leases: words.leases(), delay, once };
  },

  RETURN(words) {
    const queue = words.name();
    let once: Once | undefined;
    words.options(
      onceOption(words, (named) => {
        once = named;
      }),
    );
    return { verb: 'RETURN', queue, leases: words.leases(), once };
  },

  EXTEND(words) {
    const queue = words.name();
    const duration = words.integer('milliseconds', 1, LONGEST_DELAY);
    let binding: 'hold' | 'free' | undefined;
    words.options({
      HOLD: () => {
        binding = 'hold';
      },
      FREE: () => {
        binding = 'free';
      },
    });
    return { verb: 'EXTEND', queue, leases: words.leases(), duration, binding };
  },

  JOIN(words) {
    const queue = words.name();
    let timeout = Infinity;
    words.options(
      timeoutOptions(words, (ms) => {
        timeout = ms;
      }),
    );
    return { verb: 'JOIN', queue, timeout };
  },

  PIPE(words) {
    const pipe = words.name('a pipe');
    let direction: Direction = 'both';
    let timeout = Infinity;
    let pid: number | undefined;
    words.options({
      SEND: () => {
        direction = 'send';
      },
      RECV: () => {
        direction = 'recv';
      },
      ...timeoutOptions(words, (ms) => {
        timeout = ms;
      }),
      PID: () => {
        pid = words.integer('PID', 1);
      },
    });
    return { verb: 'PIPE', pipe, direction, timeout, pid };
  },

  CREATE: parseSettings,
  SET: parseSettings,

  PEEK(words) {
    const queue = words.name();
    let count = 1;
    words.options({
      COUNT: () => {
        count = words.integer('COUNT', 1);
      },
    });
    return { verb: 'PEEK', queue, count };
  },

  RM(words) {
    const queue = words.name();
    let force = false;
    let once: Once | undefined;
    words.options({
      FORCE: () => {
        force = true;
      },
      ...onceOption(words, (named) => {
        once = named;
      }),
    });
    return { verb: 'RM', queue, force, once };
  },

  CLOSE(words) {
    const queue = words.name();
    let now = false;
    words.options({
      NOW: () => {
        now = true;
      },
    });
    return { verb: 'CLOSE', queue, now };
  },

  MOVE(words) {
    const queue = words.name();
    const to = words.name();
    let count: number | undefined;
    let once: Once | undefined;
    words.options({
      COUNT: () => {
        count = words.integer('COUNT', 1);
      },
      ...onceOption(words, (named) => {
        once = named;
      }),
    });
    return { verb: 'MOVE', queue, to, count, once };
  },

  PURGE(words) {
    const queue = words.name();
    let once: Once | undefined;
    words.options(
      onceOption(words, (named) => {
        once = named;
      }),
    );
    return { verb: 'PURGE', queue, once };
  },

  POSITION: (words) => ({ verb: 'POSITION', client: parseClient(words) }),

  SIZE: parseQueue,
  EMPTY: parseQueue,
  FULL: parseQueue,
  STAT: parseQueue,
  OPEN: parseQueue,

  ECHO: (words) => ({ verb: 'ECHO', text: words.bytes('a text') }),

  LS(words) {
    let after: string | undefined;
    let count: number | undefined;
    words.options({
      AFTER: () => {
        after = words.name();
      },
      COUNT: () => {
        count = words.integer('COUNT', 1);
      },
    });
    return { verb: 'LS', after, count };
  },

  STATUS: parseBare,
  STOP: parseBare,
  PING: parseBare,
  QUIT: parseBare,
  // What Redis clients send on their own; whatever follows does not matter here.
  INFO: parseIgnored,
  COMMAND: parseIgnored,
  CLIENT: parseIgnored,
  SELECT: parseIgnored,
};

function parseQueue(words: WordReader, verb: 'SIZE'): Request {
  return { verb, queue: words.name() };
}

function parseBare(_: WordReader, verb: 'STATUS'): Request {
  return { verb };
}

function parseIgnored(words: WordReader, verb: 'INFO'): Request {
  words.skip();
  return { verb };
}

function parseSettings(words: WordReader, verb: 'CREATE'): Request {
  const queue = words.name();
  const settings: { -readonly [K in keyof Settings]?: Settings[K] } = {};
  words.options({
    KIND: () => {
      settings.kind = parseKind(words.next('a kind'));
    },
    MAXSIZE: () => {
      settings.maxsize = words.integer('MAXSIZE', 0);
    },
    MAX_ATTEMPTS: () => {
      settings.max_attempts = words.integer('MAX_ATTEMPTS', 0);
    },
    RETRY_DELAY: () => {
      settings.retry_delay = words.integer('RETRY_DELAY', 0, LONGEST_DELAY);
    },
    DEAD_LETTER: () => {
      settings.dead_letter = words.name();
    },
  });
  return { verb, queue, settings };
}

function timeoutOptions(words: WordReader, set: (milliseconds: number) => void): Record<string, () => void> {
  return {
    NOWAIT: () => set(0),
    TIMEOUT: () => set(words.integer('TIMEOUT', 0, MOST_MILLISECONDS)),
  };
}

function onceOption(words: WordReader, set: (once: Once) => void): Record<string, () => void> {
  return {
    ONCE: () =>
      set({
        client: parseClient(words),
        seq: words.integer('ONCE', 0),
        acked: words.integer('ONCE', 0),
      }),
  };
}

function parseClient(words: WordReader): string {
  return words.next('the id of a client').slice(0, 100);
}

/** In bytes. */
const LONGEST_KEY = 1024;

/** Keys are compared as text: bytes that stand for none would make two of them the same. */
function checkKey(bytes: Buffer): string {
  if (bytes.length === 0 || bytes.length > LONGEST_KEY || !isUtf8(bytes))
    throw new MqError('USAGE', `a key has 1 to ${LONGEST_KEY} bytes of UTF-8`);
  return bytes.toString();
}

function parseUntil(word: string): Until {
  const until = (['drained', 'finished', 'idle'] as const).find((each) => each === word.toLowerCase());
  if (until === undefined) throw new MqError('USAGE', `UNTIL takes DRAINED, FINISHED or IDLE`);
  return until;
}

function parseRange(word: string): Range {
  const [, first, last] = /^(\d{1,16})(?:-(\d{1,16}))?$/.exec(word) ?? [];
  const range = { first: Number(first), last: Number(last ?? first) };
  if (!(range.first <= range.last))
    throw new MqError('USAGE', `'${word.slice(0, 40)}' is not the id of a message`);
  return range;
}
