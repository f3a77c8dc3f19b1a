import { MqError } from '../../errors.ts';
import { parseId } from '../../message-id.ts';
import type { Once } from '../../once.ts';
import type { Range } from '../../range.ts';
import { LONGEST_DELAY } from '../../settings.ts';
import type { Request, Verb } from '../requests.ts';
import type { WordReader } from '../word-reader.ts';

/**
 * The row of a verb: what its request is on the wire. `encode-request.ts` writes a request from it, and
 * `parse-request.ts` reads one. The words come in this order: the verb, operands, options, and the rest.
 */
export interface Row<R> {
  /** The request before its words are read: what is not said has this value. */
  start(): R;
  operands?: readonly Part<R>[];
  options?: readonly Clause<R>[];
  rest?: Part<R>;
  /** @throws MqError USAGE when the words do not go together */
  check?(request: R): void;
}

/** Words in a fixed place. */
export interface Part<R> {
  write(request: R): string[];
  /** @throws MqError USAGE, BADNAME */
  read(words: WordReader, request: R): void;
}

/** An option: a word by which it is known, and what follows that. */
export interface Clause<R> {
  /** Each of them begins it. */
  names: readonly string[];
  /** @returns nothing where the request goes without */
  write(request: R): string[];
  /** @returns 'end' when no option follows, whatever the next word looks like */
  read(words: WordReader, request: R, name: string): 'end' | void;
}

export type RequestOf<V extends Verb> = Extract<Request, { verb: V }>;

/** The request, or a part of it, that has a field of this type. */
type With<Key extends string, Value> = { [K in Key]?: Value | undefined };

/** 2^31-1 ms is what a timer can wait at most; no message waits that long for want of a larger number. */
const MOST_MILLISECONDS = 2 ** 31 - 1;

/** The name of a queue or a pipe, in a fixed place. */
export function name<Key extends string>(key: Key, of?: string): Part<Record<Key, string>> {
  return {
    write: (request) => [request[key]],
    read: (words, request) => {
      (request as Record<string, string>)[key] = words.name(of);
    },
  };
}

export const queue = name('queue');

/** An option with an integer; `least` and `most` are included. */
export function integer<Key extends string>(
  option: string,
  key: Key,
  least: number,
  most?: number,
): Clause<With<Key, number>> {
  return {
    names: [option],
    write: ({ [key]: value }) => (value === undefined ? [] : [option, String(value)]),
    read: (words, request) => {
      (request as With<string, number>)[key] = words.integer(option, least, most);
    },
  };
}

/** An option that is there or not. */
export function flag<Key extends string>(option: string, key: Key): Clause<With<Key, boolean>> {
  return {
    names: [option],
    write: ({ [key]: value }) => (value ? [option] : []),
    read: (_, request) => {
      (request as With<string, boolean>)[key] = true;
    },
  };
}

/** One of several words; the request has it in small letters. */
export function choice<Key extends string, Value extends string>(
  key: Key,
  values: readonly Value[],
): Clause<With<Key, string>> {
  const names = values.map((value) => value.toUpperCase());
  return {
    names,
    write: ({ [key]: value }) => {
      const word = value?.toUpperCase();
      return word !== undefined && names.includes(word) ? [word] : [];
    },
    read: (_, request, word) => {
      (request as With<string, string>)[key] = word.toLowerCase();
    },
  };
}

/** For how long the request may wait, in ms: 0 not at all, Infinity for ever. */
export const timeout: Clause<{ timeout: number }> = {
  names: ['NOWAIT', 'TIMEOUT'],
  write: ({ timeout }) => {
    if (timeout === Infinity) return [];
    return timeout === 0 ? ['NOWAIT'] : ['TIMEOUT', String(timeout)];
  },
  read: (words, request, word) => {
    request.timeout = word === 'NOWAIT' ? 0 : words.integer('TIMEOUT', 0, MOST_MILLISECONDS);
  },
};

export const delay = integer('DELAY', 'delay', 0, LONGEST_DELAY);

export const count = integer('COUNT', 'count', 1);

/** The name of a step that is to happen once. */
export const once: Clause<{ once?: Once | undefined }> = {
  names: ['ONCE'],
  write: ({ once }) => (once ? ['ONCE', once.client, String(once.seq), String(once.acked)] : []),
  read: (words, request) => {
    request.once = {
      client: readClient(words),
      seq: words.integer('ONCE', 0),
      acked: words.integer('ONCE', 0),
    };
  },
};

/** All words that are left: at least one lease. */
export const leases: Part<{ leases: string[] }> = {
  write: ({ leases }) => leases,
  read: (words, request) => {
    request.leases = words.all('a lease').map(asLease);
  },
};

/** All words that are left, if any: ids of messages. */
export const ids: Part<{ ids?: number[] | undefined }> = {
  write: ({ ids = [] }) => ids.map(String),
  read: (words, request) => {
    if (words.more) request.ids = words.all('').map((word) => parseId(word));
  },
};

/** A word that may be a lease; a longer one is none. */
export function asLease(word: string): string {
  return word.slice(0, 40);
}

export function readClient(words: WordReader): string {
  return words.next('the id of a client').slice(0, 100);
}

export function rangeWord({ first, last }: Range): string {
  return first === last ? String(first) : `${first}-${last}`;
}

/** @throws MqError USAGE */
export function parseRange(word: string): Range {
  const [, first, last] = /^(\d{1,16})(?:-(\d{1,16}))?$/.exec(word) ?? [];
  const range = { first: Number(first), last: Number(last ?? first) };
  if (!(range.first <= range.last))
    throw new MqError('USAGE', `'${word.slice(0, 40)}' is not the id of a message`);
  return range;
}
