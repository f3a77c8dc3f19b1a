import { othersTurn } from '../others-turn.ts';
import { Fields, type Value } from '../protocol/values.ts';
import type { Queues } from '../queue/queues.ts';
import type { QueueState } from '../store/queue-state.ts';
import { deadLetterOf } from '../store/rules.ts';
import type { Store } from '../store/store.ts';
import type { Daemon } from './handler.ts';
import { each, PART, Parts } from './parts.ts';

/** Names looked up at a time. */
const NAMES = 5000;

/** The answer to LS: `count` queues behind `after`, and behind the last of them the pipes. */
export async function listed(
  after: string | undefined,
  count = Infinity,
  queues: Queues,
  daemon: Daemon,
): Promise<Value | Parts> {
  if (count <= PART) {
    const page = (await queues.store.list(after, count)).map((each) => describe(each, queues));
    daemon.account(0, page.length);
    return page.length < count ? [...page, ...daemon.pipes.list()] : page;
  }
  const names = await namesAfter(after, count, queues.store);
  const pipes = names.length < count ? daemon.pipes.list() : [];
  async function* parts() {
    for (let at = 0; at < names.length; at += PART) {
      daemon.account(0, PART);
      const states = await statesOf(names[at - 1] ?? after, names.slice(at, at + PART), queues.store);
      yield each(states, (state) => (state ? describe(state, queues) : null));
    }
    yield pipes;
  }
  return new Parts(names.length + pipes.length, parts());
}

/** A queue, as STAT and LS answer it. */
export function describe(queue: QueueState, queues: Queues): Value {
  const rates = queues.ratesOf(queue);
  return new Fields({
    name: queue.name,
    kind: queue.kind,
    state: queue.closed ? 'closed' : 'open',
    paused: Number(queue.paused),
    waiting: queue.waiting,
    delayed: queue.delayed,
    leased: queue.held + queue.leased,
    maxsize: queue.maxsize,
    max_attempts: queue.max_attempts,
    retry_delay: queue.retry_delay,
    dead_letter: deadLetterOf(queue.name, queue),
    max_leased: queue.max_leased,
    consumers: queues.consumersOf(queue),
    put: queue.put,
    got: queue.got,
    done: queue.done,
    failed: queue.failed,
    dead: queue.dead,
    expired: queue.expired,
    oldest_at: queue.oldestAt ?? null,
    put_rate: rates.put.toFixed(2),
    done_rate: rates.done.toFixed(2),
  });
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
  // Other queues may have been made between them.
  for (let behind = after; (behind ?? '') < last; ) {
    const page = await store.list(behind, PART);
    for (const state of page) found.set(state.name, state);
    behind = page.length < PART ? last : page.at(-1)?.name;
  }
  return names.map((name) => found.get(name));
}
