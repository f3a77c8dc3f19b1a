import { join, type Large, offsetsOf, type Packed } from '../../packed.ts';
import type { Range } from '../../range.ts';
import type { Run } from '../run.ts';
import type { TakeLimit } from '../store.ts';
import type { BatchRow, MessageRow } from './tables/table-rows.ts';

/** The states of a message. */
export const WAITING = 0;
export const HELD = 1;
export const GONE = 2;
export const LEASED = 3;
export const DELAYED = 4;
export type State = typeof WAITING | typeof HELD | typeof GONE | typeof LEASED | typeof DELAYED;

/** The states of the messages of one batch. */
export class Batch {
  readonly row: BatchRow;
  readonly #states: Uint8Array;
  /** The number of messages in each state. */
  readonly #counts = [0, 0, 0, 0, 0];
  /** Failures of messages; absent: none. */
  #failures: Map<number, number> | undefined;
  /** Messages before #low, and those from #high on, are not waiting. */
  #low = 0;
  #high: number;
  #offsets: Uint32Array | undefined;

  constructor(row: BatchRow, gone: readonly Range[], particular: readonly MessageRow[]) {
    this.row = row;
    this.#high = row.count;
    const state = row.due_at === null ? WAITING : DELAYED;
    this.#states = new Uint8Array(row.count).fill(state);
    this.#counts[state] = row.count;
    for (const range of gone) this.change(range, state, GONE);
    for (const { id, failures, lease, until } of particular) {
      if (failures > 0) this.setFailures(id, failures);
      if (until !== null) this.change({ first: id, last: id }, WAITING, lease === null ? DELAYED : LEASED);
    }
  }

  get last(): number {
    return this.row.first + this.row.count - 1;
  }

  count(state: State): number {
    return this.#counts[state] as number;
  }

  /** Whether any of its messages waits or is held: see the table `ready`. */
  get isReady(): boolean {
    return this.count(WAITING) + this.count(HELD) > 0;
  }

  stateOf(id: number): State {
    return this.#states[id - this.row.first] as State;
  }

  /** The number of failures of a message. */
  failures(id: number): number {
    return this.#failures?.get(id) ?? 0;
  }

  /** Whether some have failed, so that the table `message` may speak of any of them. */
  get isParticular(): boolean {
    return this.#failures !== undefined;
  }

  setFailures(id: number, failures: number): void {
    this.#failures ??= new Map();
    this.#failures.set(id, failures);
  }

  /** The next messages that wait, as runs, from the last one backwards with step -1. Changes nothing. */
  nextRuns(messages: Packed, step: 1 | -1, limit: TakeLimit): Run[] {
    this.#offsets ??= offsetsOf(messages);
    const offsets = this.#offsets;
    const { first, count, priority, put_at: putAt } = this.row;
    const runs: Run[] = [];
    let left = limit.count;
    let bytes = limit.bytes;
    let at = step === 1 ? this.#firstWaiting() : this.#lastWaiting();
    while (at >= 0 && at < count && left > 0 && bytes > 0) {
      const from = at;
      const failures = this.failures(first + at);
      const differs = this.isParticular;
      while (this.#states[at] === WAITING && left > 0 && bytes > 0) {
        if (differs && this.failures(first + at) !== failures) break;
        bytes -= (offsets[at + 1] as number) - (offsets[at] as number);
        left -= 1;
        at += step;
      }
      if (at !== from) {
        const run = this.#slice(messages, from, (at - from) * step, step);
        runs.push({ id: first + from, step, priority, putAt, failures, messages: run });
      }
      while (at >= 0 && at < count && this.#states[at] !== WAITING) at += step;
    }
    return runs;
  }

  /** One message by itself. */
  only(id: number, messages: Packed): Packed {
    this.#offsets ??= offsetsOf(messages);
    return this.#slice(messages, id - this.row.first, 1, 1);
  }

  /** One message as a run, in whatever state it is. */
  runOf(id: number, messages: Packed | Large, step: 1 | -1): Run {
    const { priority, put_at: putAt } = this.row;
    return { id, step, priority, putAt, failures: this.failures(id), messages };
  }

  /** Changes the state of those messages that are in state `from`. @returns their ids */
  change({ first, last }: Range, from: State, to: State): Range[] {
    const base = this.row.first;
    const end = Math.min(last, this.last) - base + 1;
    const changed: Range[] = [];
    let i = Math.max(first, base) - base;
    while (i < end) {
      while (i < end && this.#states[i] !== from) i++;
      const start = i;
      while (i < end && this.#states[i] === from) i++;
      if (i === start) break;
      this.#states.fill(to, start, i);
      (this.#counts[from] as number) -= i - start;
      (this.#counts[to] as number) += i - start;
      if (to === WAITING) {
        this.#low = Math.min(this.#low, start);
        this.#high = Math.max(this.#high, i);
      }
      changed.push({ first: base + start, last: base + i - 1 });
    }
    return changed;
  }

  /** Whether these messages are all gone. */
  isGone({ first, last }: Range): boolean {
    return this.#states
      .subarray(first - this.row.first, last + 1 - this.row.first)
      .every((state) => state === GONE);
  }

  /** The whole range of gone messages around `id`. */
  goneAround(id: number): Range {
    let low = id - this.row.first;
    let high = low;
    while (low > 0 && this.#states[low - 1] === GONE) low--;
    while (high + 1 < this.row.count && this.#states[high + 1] === GONE) high++;
    return { first: this.row.first + low, last: this.row.first + high };
  }

  #firstWaiting(): number {
    while (this.#states[this.#low] !== WAITING) this.#low++;
    return this.#low;
  }

  #lastWaiting(): number {
    while (this.#states[this.#high - 1] !== WAITING) this.#high--;
    return this.#high - 1;
  }

  #slice({ bytes }: Packed, from: number, count: number, step: 1 | -1): Packed {
    const offsets = this.#offsets as Uint32Array;
    const part = (start: number, end: number) => bytes.subarray(offsets[start], offsets[end]);
    if (step === 1) return { count, bytes: part(from, from + count) };
    const backwards = Array.from({ length: count }, (_, i) => ({
      count: 1,
      bytes: part(from - i, from - i + 1),
    }));
    return join(backwards);
  }
}

/** Whether messages of the batch must be dropped if they wait. */
export function isExpired({ expires_at }: BatchRow, now: number): boolean {
  return expires_at !== null && expires_at <= now;
}
