import type { MessageState } from '../message-state.ts';
import type { Once } from '../once.ts';
import type { Packed } from '../packed.ts';
import type { Range } from '../range.ts';
import type { Settings } from '../settings.ts';
import type { Until } from '../until.ts';

/**
 * Requests as data; `encode-request.ts` and `parse-request.ts` are the way to the frame and back. mq-protocol(7)
 * describes each for people who write clients.
 */
export type Request =
  | { verb: 'HELLO'; version: 2 | 3 | undefined; mq: Greeting | undefined }
  | {
      verb: 'PUT';
      queue: string;
      messages: Packed;
      priority: number;
      timeout: number;
      client?: Position | undefined;
      delay?: number | undefined;
      ttl?: number | undefined;
      key?: string | undefined;
      done?: { queue: string; lease: string } | undefined;
      /** With `done` only. */
      once?: Once | undefined;
      /** Whether the answer has the ids of the messages. */
      ids?: boolean | undefined;
    }
  | {
      verb: 'GET';
      queues: string[];
      timeout: number;
      count: number | undefined;
      hold: boolean;
      lease?: number | undefined;
      /** The message with this id only, if it is waiting. */
      id?: number | undefined;
      /** Whether each run has its origin at the end: see `Run.origin` of the store. */
      origin?: boolean | undefined;
      /** How many of `count` no work can begin with: they are not taken from a queue with `max_leased`. */
      ahead?: number | undefined;
      /** Whether the bodies of a run come packed, so that nobody has to look at each on the way. */
      packed?: boolean | undefined;
      until?: Until | undefined;
      /** Messages that are consumed before others are taken. An answer with messages says that this is recorded, not that it is on disk. */
      done?: { queue: string; ids: Range[] } | undefined;
    }
  /** `once` with leases only. */
  | { verb: 'DONE'; queue: string; ids: Range[]; leases: string[]; once?: Once | undefined }
  | { verb: 'FAIL'; queue: string; leases: string[]; delay: number | undefined; once?: Once | undefined }
  | { verb: 'RETURN'; queue: string; leases: string[]; once?: Once | undefined }
  | {
      verb: 'EXTEND';
      queue: string;
      leases: string[];
      duration: number;
      binding?: 'hold' | 'free' | undefined;
    }
  | { verb: 'JOIN'; queue: string; timeout: number }
  | { verb: 'PIPE'; pipe: string; direction: Direction; timeout: number; pid: number | undefined }
  | { verb: 'CREATE' | 'SET'; queue: string; settings: Partial<Settings> }
  | {
      verb: 'PEEK';
      queue: string;
      count: number;
      /** The message with this id. */
      id?: number | undefined;
      /** Messages in this state, in the order of their ids. */
      state?: MessageState | undefined;
      /** The id behind which messages are looked at. */
      after?: number | undefined;
      /** The bytes of each body, at most. */
      cut?: number | undefined;
      /** Whether the next messages come as maps, as with `id` and `state`. */
      map?: boolean | undefined;
    }
  | { verb: 'RM'; queue: string; force: boolean; once?: Once | undefined }
  | { verb: 'ECHO'; text: Buffer }
  | { verb: 'CLOSE'; queue: string; now: boolean }
  /** With `ids`: these messages only; without `count` then. */
  | {
      verb: 'MOVE';
      queue: string;
      to: string;
      count: number | undefined;
      once?: Once | undefined;
      ids?: number[] | undefined;
    }
  | { verb: 'RETRY'; queue: string; once?: Once | undefined; ids?: number[] | undefined }
  | { verb: 'DROP'; queue: string; once?: Once | undefined; ids?: number[] | undefined }
  | { verb: 'RENAME'; queue: string; to: string; once?: Once | undefined }
  | { verb: 'PURGE' | 'PAUSE' | 'RESUME'; queue: string; once?: Once | undefined }
  /** Asks for the number of the client's messages that are stored. */
  | { verb: 'POSITION'; client: string }
  | { verb: 'SIZE' | 'EMPTY' | 'FULL' | 'STAT' | 'OPEN'; queue: string }
  | { verb: 'LS'; after: string | undefined; count: number | undefined }
  | { verb: 'STATUS' | 'STOP' | 'PING' | 'QUIT' | 'INFO' | 'COMMAND' | 'CLIENT' | 'SELECT' };

export type Verb = Request['verb'];

/** Requests that change nothing for others, so that it does not matter what becomes of them when the daemon dies. */
export const READING: ReadonlySet<Verb> = new Set<Verb>([
  'HELLO',
  'GET',
  'JOIN',
  'PIPE',
  'PEEK',
  'SIZE',
  'EMPTY',
  'FULL',
  'STAT',
  'LS',
  'STATUS',
  'POSITION',
]);

/** The direction of the bytes at an end of a pipe. */
export type Direction = 'both' | 'send' | 'recv';

/** The greeting of mq's own client. */
export interface Greeting {
  protocol: number;
  version: string;
  /** Whether a daemon that is older than this client makes room for a newer one. */
  replace: boolean;
  /** The client's process (holder.ts), which is given back what it held if the daemon dies. */
  holder?: string | undefined;
  /** The process of a client up to mq 0.5. */
  pid?: number | undefined;
}

/** The position of a PUT's first message among those of its client, so that the store takes each once. */
export interface Position {
  id: string;
  index: number;
}
