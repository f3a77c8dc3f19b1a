import { MqError } from '../../errors.ts';
import { isHolder } from '../../holder.ts';
import type { Greeting } from '../requests.ts';
import type { Clause, RequestOf, Row } from './row.ts';

type Hello = RequestOf<'HELLO'>;

/** An option of Redis clients, which is read and means nothing here. */
function ignored(option: string, ...values: string[]): Clause<Hello> {
  return {
    names: [option],
    write: () => [],
    read: (words) => {
      for (const value of values) words.next(value);
    },
  };
}

/** An option of mq's own client. It stands behind MQ; without MQ it is read, and means nothing. */
function ofMq(
  option: string,
  write: (mq: Greeting) => string[] | undefined,
  read: (...from: Parameters<Clause<Hello>['read']>) => Partial<Greeting>,
): Clause<Hello> {
  return {
    names: [option],
    write: ({ mq }) => {
      const values = mq && write(mq);
      return values ? [option, ...values] : [];
    },
    read: (words, request, name) => {
      const said = read(words, request, name);
      if (request.mq) Object.assign(request.mq, said);
    },
  };
}

export const HELLO: Row<Hello> = {
  start: () => ({ verb: 'HELLO', version: undefined, mq: undefined }),
  operands: [
    {
      write: ({ version }) => [String(version ?? 2)],
      read: (words, request) => {
        if (!words.more) return;
        const wanted = words.next('');
        if (wanted !== '2' && wanted !== '3')
          throw new MqError('PROTOCOL', `RESP has versions 2 and 3, not ${wanted.slice(0, 20)}`);
        request.version = wanted === '2' ? 2 : 3;
      },
    },
  ],
  options: [
    {
      names: ['MQ'],
      write: ({ mq }) => (mq ? ['MQ', String(mq.protocol), mq.version] : []),
      read: (words, request) => {
        request.mq = { protocol: words.integer('MQ', 0), version: words.next('a version'), replace: false };
      },
    },
    ofMq(
      'REPLACE',
      ({ replace }) => (replace ? [] : undefined),
      () => ({ replace: true }),
    ),
    ofMq(
      'PROCESS',
      ({ holder }) => (holder === undefined ? undefined : [holder]),
      (words) => {
        const holder = words.next('a process');
        if (!isHolder(holder)) throw new MqError('USAGE', `'${holder.slice(0, 40)}' names no process`);
        return { holder };
      },
    ),
    ofMq(
      'PID',
      ({ pid }) => (pid === undefined ? undefined : [String(pid)]),
      (words) => ({ pid: words.integer('PID', 1) }),
    ),
    ignored('AUTH', 'a user', 'a password'),
    ignored('SETNAME', 'a name'),
  ],
  rest: {
    write: () => [],
    // A newer client may say more of itself.
    read: (words, { mq }) => {
      if (mq !== undefined) words.skip();
    },
  },
};
