import { MqError } from '../errors.ts';
import { checkName } from '../names.ts';
import { NOTHING, type Packed } from '../packed.ts';
import {
  type Kind,
  LEAST_PRIORITY,
  MOST_PRIORITY,
  parseInteger,
  parseKind,
  type Settings,
} from '../settings.ts';
import { Reader } from './values.ts';

/**
 * What a client can ask, as data; `encodeRequest` and `parseRequest` are the way to the frame and
 * back. mq-protocol(7) describes each for people who write clients.
 */
export type Request =
  | { verb: 'HELLO'; version: 2 | 3 | undefined; mq: Greeting | undefined }
  | {
      verb: 'PUT';
      queue: string;
      messages: Packed;
      priority: number;
      timeout: number;
      client: Position | undefined;
    }
  | { verb: 'GET'; queues: string[]; timeout: number; count: number | undefined; hold: boolean }
  | { verb: 'DONE'; queue: string; ids: Range[] }
  | { verb: 'CREATE' | 'SET'; queue: string; settings: Partial<Settings> }
  | { verb: 'PEEK'; queue: string; count: number }
  | { verb: 'RM'; queue: string; force: boolean }
  | { verb: 'ECHO'; text: Buffer }
  | { verb: 'CLOSE'; queue: string; now: boolean }
  | { verb: 'MOVE'; queue: string; to: string; count: number | undefined }
  | { verb: 'SIZE' | 'EMPTY' | 'FULL' | 'STAT' | 'PURGE' | 'OPEN'; queue: string }
  | { verb: 'LS' | 'STATUS' | 'STOP' | 'PING' | 'QUIT' | 'INFO' | 'COMMAND' | 'CLIENT' | 'SELECT' };

export type Verb = Request['verb'];

/** What mq's own client says of itself. */
export interface Greeting {
  protocol: number;
  version: string;
  /** A daemon older than this client is to make room for a newer one. */
  replace: boolean;
  /** The client's process, when it is to have again what it held if the daemon dies. */
  pid?: number | undefined;
}

/** Which of a client's messages the first one of a PUT is: so the store takes each once. */
export interface Position {
  id: string;
  index: number;
}

/** Message ids `first` to `last`, both included. */
export interface Range {
  first: number;
  last: number;
}

export function encodeRequest(request: Request): Buffer {
  const words = [request.verb, ...wordsOf(request)];
  const messages = request.verb === 'PUT' ? request.messages : NOTHING;
  let head = `*${words.length + messages.count}\r\n`;
  for (const word of words) head += `$${Buffer.byteLength(word)}\r\n${word}\r\n`;
  return Buffer.concat([Buffer.from(head), messages.bytes]);
}

/**
 * Reads a request from a frame of a scanner that lets nothing but requests pass.
 * @throws MqError USAGE or BADNAME; the connection can go on after that.
 */
export function parseRequest(frame: Buffer): Request {
  const words = new Words(frame);
  const verb = words.next('a verb').toUpperCase();
  const parse = PARSERS[verb];
  if (parse === undefined) throw new MqError('USAGE', `unknown command '${verb.slice(0, 40)}'`);
  const request = parse(words, verb as never);
  words.end();
  return request;
}

function wordsOf(request: Request): string[] {
  switch (request.verb) {
    case 'HELLO':
      return [String(request.version ?? 2), ...greetingWords(request.mq)];
    case 'PUT':
      return [
        ...timeoutWords(request.timeout),
        ...(request.priority === 0 ? [] : ['PRIORITY', String(request.priority)]),
        ...(request.client ? ['CLIENT', request.client.id, String(request.client.index)] : []),
        'QUEUE',
        request.queue,
      ];
    case 'GET':
      return [
        ...request.queues.flatMap((queue, i) => (i === 0 ? [queue] : ['OR', queue])),
        ...timeoutWords(request.timeout),
        ...countWords(request.count),
        ...(request.hold ? ['HOLD'] : []),
      ];
    case 'DONE':
      return [request.queue, ...request.ids.map(rangeWord)];
    case 'CREATE':
    case 'SET':
      return [request.queue, ...settingWords(request.settings)];
    case 'PEEK':
      return [request.queue, ...countWords(request.count)];
    case 'RM':
      return [request.queue, ...(request.force ? ['FORCE'] : [])];
    case 'CLOSE':
      return [request.queue, ...(request.now ? ['NOW'] : [])];
    case 'ECHO':
      return [request.text.toString()];
    case 'MOVE':
      return [request.queue, request.to, ...countWords(request.count)];
    default:
      return 'queue' in request ? [request.queue] : [];
  }
}

function greetingWords(mq: Greeting | undefined): string[] {
  if (mq === undefined) return [];
  return [
    'MQ',
    String(mq.protocol),
    mq.version,
    ...(mq.replace ? ['REPLACE'] : []),
    ...(mq.pid === undefined ? [] : ['PID', String(mq.pid)]),
  ];
}

function timeoutWords(timeout: number): string[] {
  if (timeout === Infinity) return [];
  return timeout === 0 ? ['NOWAIT'] : ['TIMEOUT', String(timeout)];
}

function countWords(count: number | undefined): string[] {
  return count === undefined ? [] : ['COUNT', String(count)];
}

function rangeWord({ first, last }: Range): string {
  return first === last ? String(first) : `${first}-${last}`;
}

function settingWords(settings: Partial<Settings>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => [name.toUpperCase(), String(value)]);
}

const LONGEST_OPTION = 16;

/** The words of a request, one after the other. */
class Words {
  readonly #reader: Reader;
  #left: number;

  constructor(frame: Buffer) {
    this.#reader = new Reader(frame);
    this.#left = this.#reader.number();
  }

  get more(): boolean {
    return this.#left > 0;
  }

  next(what: string): string {
    return this.bytes(what).toString();
  }

  bytes(what: string): Buffer {
    if (this.#left === 0) throw new MqError('USAGE', `${what} is missing`);
    this.#left -= 1;
    return this.#reader.bulk() as Buffer;
  }

  name(): string {
    return checkName(this.next('the name of a queue'));
  }

  integer(what: string, least: number, most?: number): number {
    return parseInteger(this.next(`the number of ${what}`), what, least, most);
  }

  /** What is left, as messages. */
  messages(): Packed {
    const packed = this.#reader.rest(this.#left);
    this.#left = 0;
    return packed;
  }

  /** Skips whatever is left. */
  skip(): void {
    this.messages();
  }

  /** Reads option words as long as `options` has the next one, or up to one that answers 'end'. */
  options(options: Record<string, () => 'end' | void>): void {
    while (this.#left > 0) {
      const start = this.#reader.at;
      const word = this.#reader.bulk() as Buffer;
      const name = word.length > LONGEST_OPTION ? '' : word.toString();
      const option = Object.hasOwn(options, name) ? options[name] : undefined;
      if (option === undefined) {
        this.#reader.at = start;
        return;
      }
      this.#left -= 1;
      if (option() === 'end') return;
    }
  }

  end(): void {
    if (this.#left > 0) throw new MqError('USAGE', `cannot make sense of '${this.next('').slice(0, 40)}'`);
  }
}

/** 2^31-1 ms is what a timer can wait at most; no message waits that long for want of a larger number. */
const MOST_MILLISECONDS = 2 ** 31 - 1;

const PARSERS: Record<string, (words: Words, verb: never) => Request> = {
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
    return { verb: 'HELLO', version, mq };
  },

  PUT(words) {
    let timeout = Infinity;
    let priority = 0;
    let client: Position | undefined;
    let queue: string | undefined;
    // Options stand before the queue: a message may look like anything.
    words.options({
      ...timeoutOptions(words, (ms) => {
        timeout = ms;
      }),
      PRIORITY: () => {
        priority = words.integer('PRIORITY', LEAST_PRIORITY, MOST_PRIORITY);
      },
      CLIENT: () => {
        client = { id: words.next('the id of a client').slice(0, 100), index: words.integer('CLIENT', 0) };
      },
      QUEUE: () => {
        queue = words.name();
        return 'end';
      },
    });
    queue ??= words.name();
    if (!words.more) throw new MqError('USAGE', 'a message is missing');
    return { verb: 'PUT', queue, messages: words.messages(), priority, timeout, client };
  },

  GET(words) {
    const queues = [words.name()];
    let timeout = Infinity;
    let count: number | undefined;
    let hold = false;
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
    });
    return { verb: 'GET', queues: [...new Set(queues)], timeout, count, hold };
  },

  DONE(words) {
    const queue = words.name();
    const ids: Range[] = [];
    while (ids.length === 0 || words.more) ids.push(parseRange(words.next('the id of a message')));
    return { verb: 'DONE', queue, ids };
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
    words.options({
      FORCE: () => {
        force = true;
      },
    });
    return { verb: 'RM', queue, force };
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
    words.options({
      COUNT: () => {
        count = words.integer('COUNT', 1);
      },
    });
    return { verb: 'MOVE', queue, to, count };
  },

  SIZE: parseQueue,
  EMPTY: parseQueue,
  FULL: parseQueue,
  STAT: parseQueue,
  PURGE: parseQueue,
  OPEN: parseQueue,

  ECHO: (words) => ({ verb: 'ECHO', text: words.bytes('a text') }),

  LS: parseBare,
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

function parseQueue(words: Words, verb: 'SIZE'): Request {
  return { verb, queue: words.name() };
}

function parseBare(_: Words, verb: 'LS'): Request {
  return { verb };
}

function parseIgnored(words: Words, verb: 'INFO'): Request {
  words.skip();
  return { verb };
}

function parseSettings(words: Words, verb: 'CREATE'): Request {
  const queue = words.name();
  const settings: { kind?: Kind; maxsize?: number } = {};
  words.options({
    KIND: () => {
      settings.kind = parseKind(words.next('a kind'));
    },
    MAXSIZE: () => {
      settings.maxsize = words.integer('MAXSIZE', 0);
    },
  });
  return { verb, queue, settings };
}

function timeoutOptions(words: Words, set: (milliseconds: number) => void): Record<string, () => void> {
  return {
    NOWAIT: () => set(0),
    TIMEOUT: () => set(words.integer('TIMEOUT', 0, MOST_MILLISECONDS)),
  };
}

function parseRange(word: string): Range {
  const [, first, last] = /^(\d{1,16})(?:-(\d{1,16}))?$/.exec(word) ?? [];
  const range = { first: Number(first), last: Number(last ?? first) };
  if (!(range.first <= range.last))
    throw new MqError('USAGE', `'${word.slice(0, 40)}' is not the id of a message`);
  return range;
}

/** What the daemon's scanner lets pass: a frame has room for the longest message and for much besides. */
export function requestLimits(maxMessage: number) {
  return { bulk: maxMessage, frame: maxMessage + 1024 * 1024, requests: true };
}
