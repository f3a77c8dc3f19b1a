import { MqError } from '../../errors.ts';
import { parseState } from '../../message-state.ts';
import { LONGEST_DELAY, parseKind, type Settings } from '../../settings.ts';
import {
  type Clause,
  count,
  flag,
  ids,
  integer,
  name,
  once,
  queue,
  type RequestOf,
  type Row,
  timeout,
} from './row.ts';

/** A verb whose one operand is a queue. */
export function named<V extends 'SIZE' | 'EMPTY' | 'FULL' | 'STAT' | 'OPEN'>(verb: V): Row<RequestOf<V>> {
  return { start: () => ({ verb, queue: '' }) as RequestOf<V>, operands: [queue] };
}

/** The same, for a step that is to happen once. */
export function namedOnce<V extends 'PURGE' | 'PAUSE' | 'RESUME'>(verb: V): Row<RequestOf<V>> {
  return {
    start: () => ({ verb, queue: '', once: undefined }) as RequestOf<V>,
    operands: [queue],
    options: [once],
  };
}

/** CREATE or SET. */
export function settings<V extends 'CREATE' | 'SET'>(verb: V): Row<RequestOf<V>> {
  return {
    start: () => ({ verb, queue: '', settings: {} }) as RequestOf<V>,
    operands: [queue],
    options: [
      setting('KIND', (words) => parseKind(words.next('a kind'))),
      setting('MAXSIZE', (words) => words.integer('MAXSIZE', 0)),
      setting('MAX_ATTEMPTS', (words) => words.integer('MAX_ATTEMPTS', 0)),
      setting('RETRY_DELAY', (words) => words.integer('RETRY_DELAY', 0, LONGEST_DELAY)),
      setting('DEAD_LETTER', (words) => words.name()),
      setting('MAX_LEASED', (words) => words.integer('MAX_LEASED', 0)),
    ],
  };
}

function setting<Key extends keyof Settings>(
  option: Uppercase<Key>,
  read: (words: Parameters<Clause<unknown>['read']>[0]) => Settings[Key],
): Clause<{ settings: Partial<Settings> }> {
  const key = option.toLowerCase() as Key;
  return {
    names: [option],
    write: ({ settings }) => (settings[key] === undefined ? [] : [option, String(settings[key])]),
    read: (words, request) => {
      request.settings = { ...request.settings, [key]: read(words) };
    },
  };
}

export const JOIN: Row<RequestOf<'JOIN'>> = {
  start: () => ({ verb: 'JOIN', queue: '', timeout: Infinity }),
  operands: [queue],
  options: [timeout],
};

export const PEEK: Row<RequestOf<'PEEK'>> = {
  start: () => ({
    verb: 'PEEK',
    queue: '',
    count: 1,
    id: undefined,
    state: undefined,
    after: undefined,
    cut: undefined,
    map: undefined,
  }),
  operands: [queue],
  options: [
    count,
    integer('ID', 'id', 1),
    {
      names: ['STATE'],
      write: ({ state }) => (state ? ['STATE', state.toUpperCase()] : []),
      read: (words, request) => {
        request.state = parseState(words.next('a state').toLowerCase(), 'STATE');
      },
    },
    integer('AFTER', 'after', 0),
    integer('CUT', 'cut', 0),
    flag('MAP', 'map'),
  ],
};

export const RM: Row<RequestOf<'RM'>> = {
  start: () => ({ verb: 'RM', queue: '', force: false, once: undefined }),
  operands: [queue],
  options: [flag('FORCE', 'force'), once],
};

export const CLOSE: Row<RequestOf<'CLOSE'>> = {
  start: () => ({ verb: 'CLOSE', queue: '', now: false }),
  operands: [queue],
  options: [flag('NOW', 'now')],
};

export const MOVE: Row<RequestOf<'MOVE'>> = {
  start: () => ({ verb: 'MOVE', queue: '', to: '', count: undefined, once: undefined, ids: undefined }),
  operands: [queue, name('to')],
  options: [count, once],
  rest: ids,
  check({ count, ids }) {
    if (count !== undefined && ids) throw new MqError('USAGE', 'COUNT does not go with ids');
  },
};

export const RETRY: Row<RequestOf<'RETRY'>> = {
  start: () => ({ verb: 'RETRY', queue: '', once: undefined, ids: undefined }),
  operands: [queue],
  options: [once],
  rest: ids,
};

export const DROP: Row<RequestOf<'DROP'>> = {
  start: () => ({ verb: 'DROP', queue: '', once: undefined, ids: undefined }),
  operands: [queue],
  options: [once],
  rest: ids,
  check({ ids }) {
    if (!ids) throw new MqError('USAGE', 'the id of a message is missing');
  },
};

export const RENAME: Row<RequestOf<'RENAME'>> = {
  start: () => ({ verb: 'RENAME', queue: '', to: '', once: undefined }),
  operands: [queue, name('to')],
  options: [once],
};

export const LS: Row<RequestOf<'LS'>> = {
  start: () => ({ verb: 'LS', after: undefined, count: undefined }),
  options: [
    {
      names: ['AFTER'],
      write: ({ after }) => (after === undefined ? [] : ['AFTER', after]),
      read: (words, request) => {
        request.after = words.name();
      },
    },
    count,
  ],
};
