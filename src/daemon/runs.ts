import { now } from '../clock.ts';
import { Bodies, type Value } from '../protocol/values.ts';
import type { RequestOf } from '../protocol/verbs/row.ts';
import type { Run } from '../store/run.ts';
import { inParts, Parts } from './parts.ts';

/** The answer with the name of its queue, where several were asked (be it one twice). */
export function prefix(names: readonly string[], queue: string, value: Value | Parts): Value | Parts {
  if (names.length === 1) return value;
  if (value instanceof Parts) return new Parts(value.size, value.parts, [queue]);
  const isOne = Array.isArray(value) && value.length > 0 && !Array.isArray(value[0]);
  return isOne ? [queue, ...value] : [queue, value];
}

/** @param askedAt see Taken.askedAt */
export function held(
  runs: Run[],
  askedAt: number,
  { count, packed, origin }: RequestOf<'GET'>,
): Value[] | Parts {
  if (count !== undefined) {
    const toValue = (run: Run) => runValue(run, packed, askedAt);
    return inParts(runs, origin ? (run) => [...toValue(run), originOf(run)] : toValue);
  }
  return runs.flatMap(({ id, leases, messages }) => [leases?.tokens[0] ?? id, new Bodies([messages], 'one')]);
}

export function bare(runs: Run[], count: number | undefined): Value {
  const messages = runs.map((run) => run.messages);
  return new Bodies(messages, count === undefined ? 'one' : 'array');
}

export function runValue(
  { id, step, priority, putAt, failures, messages, leases }: Run,
  isPacked = false,
  askedAt = 0,
): Value[] {
  const bodies = isPacked
    ? [messages.count, new Bodies([messages], 'packed')]
    : [new Bodies([messages], 'array')];
  const run = [id, step, priority, putAt, failures + 1, ...bodies];
  if (leases === undefined) return run;
  // By the wall clock, because people read it; never later than the lease ends.
  return [...run, Math.floor(leases.left - (now() - askedAt) + Date.now()), leases.tokens];
}

function originOf({ origin }: Run): Value {
  return origin ? [origin.queue, origin.id] : null;
}
