import { MqError } from '../errors.ts';
import { holderOfPid } from '../holder.ts';
import type { Request, Verb } from '../protocol/requests.ts';
import { Bodies, OK, Simple, type Value } from '../protocol/values.ts';
import type { Queues } from '../queue/queues.ts';
import { deadLetterOf } from '../store/rules.ts';
import { checkLarge, type QueueState, type Run, rangeOf, type Store, tokensOf } from '../store/store.ts';
import { isNewer, OLDEST_PROTOCOL, PROTOCOL, VERSION } from '../version.ts';
import { log } from './log.ts';
import { each, inParts, othersTurn, PART, Parts } from './parts.ts';
import type { Opener, Pipes } from './pipes.ts';
import type { Room } from './room.ts';

/** What the verbs need of the process that they run in. */
export interface Daemon {
  /** The longest message, in bytes. */
  maxMessage: number;
  readonly pipes: Pipes;
  readonly room: Room;
  /** @throws MqError STOPPED once nothing can be carried out any more */
  check(): void;
  /** @see Garbage.passed */
  passed(bytes: number, requests?: number): void;
  /** @see Garbage.released */
  released(bytes: number): void;
  /** What STATUS answers. */
  status(): Promise<Map<string, Value>>;
  /** Ends the daemon for good; fulfilled when everything but this session is closed. */
  stop(): Promise<void>;
  /** Ends the daemon so that a newer one takes its place. */
  makeRoom(): void;
  /** Ends the daemon: there is nothing left to serve. */
  giveUp(why: string): void;
}

/** The connection that a request came over. */
export interface Peer extends Opener {
  /** RESP version of its answers. */
  version: 2 | 3;
  /** It said HELLO MQ: it is mq's own client. */
  isMq: boolean;
  destroy(): void;
}

export interface Answer {
  /** Undefined: the client has been told already. */
  value: Value | Parts | undefined;
  /** Called when the operating system took the answer's last byte, or did not. */
  sent?: (taken: boolean) => void;
  /** What it says may be said before what has happened is safe on disk: see `Store.safe`. */
  promisesNothing?: boolean;
  /** The connection closes after this answer. */
  last?: boolean;
}

/** An answer brings no further message once it has so many bytes. */
const ANSWER_BYTES = 1024 * 1024;

/** So many names are looked up at a time. */
const NAMES = 5000;

/** The same for PEEK, which cannot be asked for the rest. */
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

interface Context {
  session: Peer;
  queues: Queues;
  daemon: Daemon;
}

type Handler<V extends Verb> = (
  request: Extract<Request, { verb: V }>,
  context: Context,
) => Promise<Value | Parts | Answer> | Value | Answer;

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
      if (holder !== undefined) queues.identify(session.consumer, holder);
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

  PUT({ queue, messages, timeout, ...options }, { session, queues }) {
    return queues.put(session.consumer, queue, messages, options, timeout);
  },

  async GET({ queues: names, timeout, count, hold, lease, packed, until, done: said }, { session, queues }) {
    if (said) await queues.done(session.consumer, said.queue, said.ids);
    const taken = await queues.get(session.consumer, [...new Set(names)], {
      limit: { count: count ?? 1, bytes: ANSWER_BYTES },
      timeout,
      lease: lease === undefined ? undefined : { duration: lease, isBound: hold },
      until,
    });
    if (taken === undefined) return null;
    const { queue, runs } = taken;
    const value = prefix(
      names,
      queue,
      hold || lease ? held(runs, queues.store.now(), count, packed) : bare(runs, count),
    );
    // What ends with the connection need not outlive the machine.
    if (hold) return { value, promisesNothing: true };
    const ids = runs.map(rangeOf);
    const leases = tokensOf(runs);
    return {
      value,
      promisesNothing: lease === undefined,
      sent: (ok) => {
        if (lease) {
          // Should it fail, the leases run out.
          if (!ok)
            queues
              .settleLeases(queue, leases, 'returned')
              .catch((error) => log(`cannot give back a lease: ${error}`));
          return;
        }
        const end = ok
          ? queues.done(session.consumer, queue, ids)
          : queues.giveBack(session.consumer, queue, ids);
        // Not recorded, so not gone: it is back when the connection ends.
        end.catch(() => session.destroy());
      },
    };
  },

  async DONE({ queue, ids, leases, once }, { session, queues }) {
    if (leases.length === 0) return queues.done(session.consumer, queue, ids);
    await queues.settleLeases(queue, leases, 'done', undefined, once);
    return leases.length;
  },

  FAIL: ({ queue, leases, delay, once }, { queues }) =>
    queues.settleLeases(queue, leases, 'failed', delay, once),
  RETURN: ({ queue, leases, once }, { queues }) =>
    done(queues.settleLeases(queue, leases, 'returned', undefined, once)),
  EXTEND: ({ queue, leases, duration, binding }, { session, queues }) =>
    done(queues.extend(session.consumer, queue, leases, duration, binding)),

  async JOIN({ queue, timeout }, { session, queues }) {
    return (await queues.join(session.consumer, queue, timeout)) ? OK : null;
  },

  async PIPE(request, { session, daemon }) {
    return (await daemon.pipes.open(request, session)) ? { value: undefined, promisesNothing: true } : null;
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

  async LS({ after, count = Infinity }, { queues, daemon }) {
    if (count <= PART) {
      const page = (await queues.store.list(after, count)).map((each) => describe(each, queues));
      daemon.passed(0, page.length);
      return page.length < count ? [...page, ...daemon.pipes.list()] : page;
    }
    const names = await namesAfter(after, count, queues.store);
    const pipes = names.length < count ? daemon.pipes.list() : [];
    async function* parts() {
      for (let at = 0; at < names.length; at += PART) {
        daemon.passed(0, PART);
        const states = await statesOf(names[at - 1] ?? after, names.slice(at, at + PART), queues.store);
        yield each(states, (state) => (state ? describe(state, queues) : null));
      }
      yield pipes;
    }
    return new Parts(names.length + pipes.length, parts());
  },

  async PEEK({ queue, count }, { queues }) {
    const runs = await queues.store.peek(queue, { count, bytes: PEEK_BYTES });
    await checkLarge(runs);
    return inParts(runs, (run) => runValue(run, queues.store.now()));
  },

  PURGE: ({ queue, once }, { queues }) => queues.store.purge(queue, once),
  MOVE: ({ queue, to, count, once }, { queues }) => queues.store.move(queue, to, count, once),
  RM: ({ queue, force, once }, { queues }) => done(queues.store.remove(queue, force, once)),
  CREATE: ({ queue, settings }, { queues }) => done(queues.store.create(queue, settings)),
  SET: ({ queue, settings }, { queues }) => done(queues.store.configure(queue, settings)),
  CLOSE: ({ queue, now }, { queues }) => done(queues.store.close(queue, now)),
  OPEN: ({ queue }, { queues }) => done(queues.store.open(queue)),

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

async function state(queue: string, { queues }: Context): Promise<QueueState> {
  const found = await queues.store.stat(queue);
  if (found === undefined) throw new MqError('NOQUEUE', `there is no queue ${queue}`);
  return found;
}

function describe(queue: QueueState, queues: Queues): Value {
  const rates = queues.ratesOf(queue);
  return new Map<string, Value>([
    ['name', queue.name],
    ['kind', queue.kind],
    ['state', queue.closed ? 'closed' : 'open'],
    ['waiting', queue.waiting],
    ['delayed', queue.delayed],
    ['leased', queue.held + queue.leased],
    ['maxsize', queue.maxsize],
    ['max_attempts', queue.max_attempts],
    ['retry_delay', queue.retry_delay],
    ['dead_letter', deadLetterOf(queue.name, queue)],
    ['consumers', queues.consumersOf(queue)],
    ['put', queue.put],
    ['got', queue.got],
    ['done', queue.done],
    ['failed', queue.failed],
    ['dead', queue.dead],
    ['expired', queue.expired],
    ['oldest_at', queue.oldestAt ?? null],
    ['put_rate', rates.put.toFixed(2)],
    ['done_rate', rates.done.toFixed(2)],
  ]);
}

/** The names of the first `count` queues behind `after`. */
async function namesAfter(after: string | undefined, count: number, store: Store): Promise<string[]> {
  const names: string[] = [];
  for (;;) {
    const most = Math.min(count - names.length, NAMES);
    const page = await store.names(names.at(-1) ?? after, most);
    for (const name of page) names.push(name);
    if (page.length < most || names.length === count) return names;
    await othersTurn();
  }
}

/** Queues whose names follow each other, behind `after`; undefined for one that has been removed meanwhile. */
async function statesOf(
  after: string | undefined,
  names: readonly string[],
  store: Store,
): Promise<(QueueState | undefined)[]> {
  const last = names.at(-1) as string;
  const found = new Map<string, QueueState>();
  // Others may have been made between them.
  for (let behind = after; (behind ?? '') < last; ) {
    const page = await store.list(behind, PART);
    for (const state of page) found.set(state.name, state);
    behind = page.length < PART ? last : page.at(-1)?.name;
  }
  return names.map((name) => found.get(name));
}

/** With several queues asked, be it one twice, an answer says which one it is from. */
function prefix(names: readonly string[], queue: string, value: Value | Parts): Value | Parts {
  if (names.length === 1) return value;
  if (value instanceof Parts) return new Parts(value.size, value.parts, [queue]);
  return Array.isArray(value) && !Array.isArray(value[0]) ? [queue, ...value] : [queue, value];
}

function held(runs: Run[], now: number, count: number | undefined, isPacked = false): Value[] | Parts {
  if (count !== undefined) return inParts(runs, (run) => runValue(run, now, isPacked));
  return runs.flatMap(({ id, leases, messages }) => [leases?.tokens[0] ?? id, new Bodies([messages], 'one')]);
}

function bare(runs: Run[], count: number | undefined): Value {
  const messages = runs.map((run) => run.messages);
  return new Bodies(messages, count === undefined ? 'one' : 'array');
}

/** @param now on the store's clock */
function runValue(
  { id, step, priority, putAt, failures, messages, leases }: Run,
  now: number,
  isPacked = false,
): Value {
  const bodies = isPacked
    ? [messages.count, new Bodies([messages], 'packed')]
    : [new Bodies([messages], 'array')];
  const run = [id, step, priority, putAt, failures + 1, ...bodies];
  if (leases === undefined) return run;
  // In wall-clock time: it is for people to read.
  return [...run, leases.until - now + Date.now(), leases.tokens];
}
