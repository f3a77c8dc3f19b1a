import { MqError } from '../../errors.ts';
import { LONGEST_DELAY } from '../../settings.ts';
import {
  choice,
  delay,
  leases,
  once,
  parseRange,
  queue,
  type RequestOf,
  type Row,
  rangeWord,
} from './row.ts';

export const DONE: Row<RequestOf<'DONE'>> = {
  start: () => ({ verb: 'DONE', queue: '', ids: [], leases: [], once: undefined }),
  operands: [queue],
  options: [once],
  rest: {
    write: ({ ids, leases }) => [...ids.map(rangeWord), ...leases],
    read: (words, request) => {
      const items = words.all('the id of a message or a lease');
      const leases = items.filter((item) => item.includes('.'));
      if (leases.length > 0 && leases.length < items.length)
        throw new MqError('USAGE', 'DONE takes ids or leases, not both');
      if (leases.length > 0) request.leases = leases;
      else request.ids = items.map(parseRange);
    },
  },
  check({ once, leases }) {
    if (once && leases.length === 0) throw new MqError('USAGE', 'ONCE goes with leases');
  },
};

export const FAIL: Row<RequestOf<'FAIL'>> = {
  start: () => ({ verb: 'FAIL', queue: '', leases: [], delay: undefined, once: undefined }),
  operands: [queue],
  options: [delay, once],
  rest: leases,
};

export const RETURN: Row<RequestOf<'RETURN'>> = {
  start: () => ({ verb: 'RETURN', queue: '', leases: [], once: undefined }),
  operands: [queue],
  options: [once],
  rest: leases,
};

export const EXTEND: Row<RequestOf<'EXTEND'>> = {
  start: () => ({ verb: 'EXTEND', queue: '', leases: [], duration: 0, binding: undefined }),
  operands: [
    queue,
    {
      write: ({ duration }) => [String(duration)],
      read: (words, request) => {
        request.duration = words.integer('milliseconds', 1, LONGEST_DELAY);
      },
    },
  ],
  options: [choice('binding', ['hold', 'free'])],
  rest: leases,
};
