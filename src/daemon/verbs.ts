import { MqError } from '../errors.ts';
import { holderOfPid } from '../holder.ts';
import type { Request, Verb } from '../protocol/requests.ts';
import { OK, Simple, type Value } from '../protocol/values.ts';
import { rangeWord } from '../protocol/verbs/row.ts';
import type { Queues } from '../queue/queues.ts';
import type { Acted } from '../store/acted.ts';
import type { QueueState } from '../store/queue-state.ts';
import { checkLarge, rangeOf, tokensOf } from '../store/run.ts';
import type { PutOptions } from '../store/store.ts';
import { isNewer, OLDEST_PROTOCOL, PROTOCOL, VERSION } from '../version.ts';
import type { Answer, Context, Daemon, Handler, Peer } from './handler.ts';
import { describe, listed } from './listing.ts';
import { log } from './log.ts';
import { describeEntries, entriesOf } from './looked.ts';
import { inParts, type Parts } from './parts.ts';
import { bare, held, prefix, runValue } from './runs.ts';

/** Bytes. An answer that has more brings no further message. */
const ANSWER_BYTES = 1024 * 1024;

/** Bytes of an answer to PEEK, which nobody can ask for the rest. */
const PEEK_BYTES = 64 * 1024 * 1024;

/**
 * Carries out one request.
 * @throws MqError the answer is that error
 */
export async function answer(
  request: Request,
  session: Peer,
  queues: Queues,
  daemon: Daemon,
): Promise<Answer> {
  daemon.check();
  const verb = VERBS[request.verb] as Handler<Verb>;
  const result = await verb(request, { session, queues, daemon });
  return isAnswer(result) ? result : { value: result };
}

const VERBS: { [V in Verb]: Handler<V> } = {
  HELLO({ version, mq }, { session, queues, daemon }) {
    if (version !== undefined) session.version = version;
    if (mq !== undefined) {
      session.isMq = true;
      if (mq.replace && isNewer(mq.version, VERSION)) {
        setImmediate(() => daemon.makeRoom());
        return refusal('OUTDATED', `this daemon is mq ${VERSION}, older than ${mq.version}: it makes room`);
      }
      if (mq.protocol < OLDEST_PROTOCOL || mq.protocol > PROTOCOL) {
        return refusal(
          'PROTOCOL',
          `this daemon (mq ${VERSION}) speaks protocol ${PROTOCOL}, not ${mq.protocol}`,
        );
      }
      const holder = mq.holder ?? (mq.pid === undefined ? undefined : holderOfPid(mq.pid));
      if (holder !== undefined) queues.identify(session.owner, holder);
    }
    return new Map<string, Value>([
      ['server', 'mq'],
      ['version', VERSION],
      ['proto', session.version],
      ['protocol', PROTOCOL],
      ['pid', process.pid],
      ['max_message', daemon.maxMessage],
    ]);
  },

  async PUT({ queue, messages, timeout, ids, ...rest }, { session, queues }) {
    const options: PutOptions = rest;
    if (ids) options.ids = { since: rest.client?.index ?? 0 };
    const put = await queues.put(session.owner, queue, messages, options, timeout);
    if (!ids) return put.stored;
    const words: Value[] = put.ids.map(rangeWord);
    return put.lacking ? [...words, put.lacking] : words;
  },

  async GET(request, { session, queues }) {
    const { queues: names, timeout, count, id, hold, lease, ahead, until, done: acked } = request;
    if (acked) await queues.done(session.owner, acked.queue, acked.ids);
    const options = {
      limit: { count: count ?? 1, bytes: ANSWER_BYTES, atOnce: (count ?? 1) - (ahead ?? 0) },
      timeout,
      lease: lease === undefined ? undefined : { duration: lease, isBound: hold },
      until,
    };
    const [first] = names as [string];
    const taken =
      id === undefined
        ? await queues.get(session.owner, [...new Set(names)], options)
        : await queues.getOne(session.owner, first, id, options.lease);
    if (taken === undefined && id !== undefined)
      throw new MqError('NOMESSAGE', `no message ${id} is waiting in queue ${first}`);
    if (taken === undefined || (id !== undefined && taken.runs.length === 0)) return null;
    const { queue, runs, askedAt } = taken;
    const value = prefix(names, queue, hold || lease ? held(runs, askedAt, request) : bare(runs, count));
    // A hold ends with the connection, and so need not outlive the machine.
    if (hold) return { value, needsNoSync: true };
    const ids = runs.map(rangeOf);
    const leases = tokensOf(runs);
    return {
      value,
      needsNoSync: lease === undefined,
      sent: (ok) => {
        if (lease) {
          // If that fails, the leases run out.
          if (!ok)
            queues
              .settleLeases(queue, leases, 'returned')
              .catch((error) => log(`cannot give back a lease: ${error}`));
          return;
        }
        const end = ok ? queues.done(session.owner, queue, ids) : queues.giveBack(session.owner, queue, ids);
        // Messages that are not recorded as done are back when the connection ends.
        end.catch(() => session.destroy());
      },
    };
  },

  async DONE({ queue, ids, leases, once }, { session, queues }) {
    if (leases.length === 0) return queues.done(session.owner, queue, ids);
    await queues.settleLeases(queue, leases, 'done', undefined, once);
    return leases.length;
  },

  FAIL: ({ queue, leases, delay, once }, { queues }) =>
    queues.settleLeases(queue, leases, 'failed', delay, once),
  RETURN: ({ queue, leases, once }, { queues }) =>
    done(queues.settleLeases(queue, leases, 'returned', undefined, once)),
  EXTEND: ({ queue, leases, duration, binding }, { session, queues }) =>
    done(queues.extend(session.owner, queue, leases, duration, binding)),

  async JOIN({ queue, timeout }, { session, queues }) {
    return (await queues.join(session.owner, queue, timeout)) ? OK : null;
  },

  async PIPE(request, { session, daemon }) {
    return (await daemon.pipes.open(request, session)) ? { value: undefined, needsNoSync: true } : null;
  },

  async SIZE({ queue }, context) {
    return (await state(queue, context)).waiting;
  },

  async EMPTY({ queue }, context) {
    return Number((await state(queue, context)).waiting === 0);
  },

  async FULL({ queue }, context) {
    const { maxsize, waiting, delayed } = await state(queue, context);
    return Number(maxsize > 0 && waiting + delayed >= maxsize);
  },

  async STAT({ queue }, context) {
    return describe(await state(queue, context), context.queues);
  },

  LS: ({ after, count }, { queues, daemon }) => listed(after, count, queues, daemon),

  async PEEK(request, { queues }) {
    const { queue, count, id, state, cut, map } = request;
    if (id !== undefined || state !== undefined || map) {
      const entries = await entriesOf(request, queues, PEEK_BYTES);
      if (entries.length === 0 && id !== undefined)
        throw new MqError('NOMESSAGE', `there is no message ${id} in queue ${queue}`);
      return inParts(await describeEntries(entries, queue, queues, cut), (entry) => entry);
    }
    const runs = await queues.store.peek(queue, { count, bytes: PEEK_BYTES });
    await checkLarge(runs);
    return inParts(runs, (run) => runValue(run));
  },

  PURGE: ({ queue, once }, { queues }) => queues.store.purge(queue, once),
  MOVE: ({ queue, to, count, once, ids }, { queues: { store } }) =>
    ids ? acted(store.moveIds(queue, to, ids, once)) : store.move(queue, to, count, once),
  RETRY: ({ queue, once, ids }, { queues }) => acted(queues.store.retry(queue, ids, once)),
  DROP: ({ queue, once, ids = [] }, { queues }) => acted(queues.store.drop(queue, ids, once)),
  RM: ({ queue, force, once }, { queues }) => done(queues.store.remove(queue, force, once)),
  RENAME: ({ queue, to, once }, { queues }) => done(queues.rename(queue, to, once)),
  CREATE: ({ queue, settings }, { queues }) => done(queues.store.create(queue, settings)),
  SET: ({ queue, settings }, { queues }) => done(queues.store.configure(queue, settings)),
  CLOSE: ({ queue, now }, { queues }) => done(queues.store.close(queue, now)),
  OPEN: ({ queue }, { queues }) => done(queues.store.open(queue)),
  PAUSE: ({ queue, once }, { queues }) => done(queues.pause(queue, once)),
  RESUME: ({ queue, once }, { queues }) => done(queues.store.resume(queue, once)),

  POSITION: ({ client }, { queues }) => queues.store.stored(client),

  STATUS: (_, { daemon }) => daemon.status(),

  async STOP(_, { daemon }) {
    await daemon.stop();
    return OK;
  },

  ECHO: ({ text }) => text,
  PING: () => new Simple('PONG'),
  QUIT: () => ({ value: OK, last: true }),
  // Enough for the clients of Redis, which ask for these when they connect.
  INFO: () => `# Server\r\nserver:mq\r\nmq_version:${VERSION}\r\nloading:0\r\n`,
  COMMAND: () => [],
  CLIENT: () => OK,
  SELECT: () => OK,
};

function isAnswer(result: Value | Parts | Answer): result is Answer {
  return typeof result === 'object' && result !== null && 'value' in result;
}

function refusal(code: 'OUTDATED' | 'PROTOCOL', text: string): Answer {
  return { value: new MqError(code, text), last: true };
}

async function done(step: Promise<unknown>): Promise<Value> {
  await step;
  return OK;
}

async function acted(step: Promise<Acted>): Promise<Value> {
  const { count, missing, closed } = await step;
  return new Map<string, Value>([
    ['count', count],
    ['missing', [...missing]],
    ['closed', closed ?? null],
  ]);
}

async function state(queue: string, { queues }: Context): Promise<QueueState> {
  const found = await queues.store.stat(queue);
  if (found === undefined) throw new MqError('NOQUEUE', `there is no queue ${queue}`);
  return found;
}
