import { join, offsetsOf, type Packed } from '../../packed.ts';
import type { Range, Run, TakeLimit } from '../store.ts';

/** A batch as its row has it, without the messages. */
export interface BatchRow {
  first: number;
  count: number;
  priority: number;
  put_at: number;
}

const WAITING = 0;
const HELD = 1;
const GONE = 2;

/** What has become of the messages of one batch. */
export class Batch {
  readonly row: BatchRow;
  readonly #states: Uint8Array;
  waiting: number;
  gone = 0;
  /** Messages before #low, and those from #high on, are not waiting. */
  #low = 0;
  #high: number;
  #offsets: Uint32Array | undefined;

  constructor(row: BatchRow, gone: readonly Range[]) {
    this.row = row;
    this.#states = new Uint8Array(row.count);
    this.#high = row.count;
    this.waiting = row.count;
    for (const { first, last } of gone) {
      this.#states.fill(GONE, first - row.first, last - row.first + 1);
      this.gone += last - first + 1;
    }
    this.waiting -= this.gone;
  }

  get last(): number {
    return this.row.first + this.row.count - 1;
  }

  get held(): number {
    return this.row.count - this.waiting - this.gone;
  }

  /** The next messages that wait, as runs; with step -1 from the last one backwards. Changes nothing. */
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
      while (this.#states[at] === WAITING && left > 0 && bytes > 0) {
        bytes -= (offsets[at + 1] as number) - (offsets[at] as number);
        left -= 1;
        at += step;
      }
      if (at !== from) {
        const run = this.#slice(messages, from, (at - from) * step, step);
        runs.push({ id: first + from, step, priority, putAt, messages: run });
      }
      while (at >= 0 && at < count && this.#states[at] !== WAITING) at += step;
    }
    return runs;
  }

  hold(range: Range): Range[] {
    return this.#change(range, WAITING, HELD);
  }

  /** Those of the messages that were held wait again. */
  release(range: Range): Range[] {
    const released = this.#change(range, HELD, WAITING);
    for (const { first, last } of released) {
      this.#low = Math.min(this.#low, first - this.row.first);
      this.#high = Math.max(this.#high, last - this.row.first + 1);
    }
    return released;
  }

  /** Those of the messages that are held (or waiting) are gone. */
  finish(range: Range, from: 'held' | 'waiting'): Range[] {
    return this.#change(range, from === 'held' ? HELD : WAITING, GONE);
  }

  /** Undoes `finish`. */
  unfinish(range: Range, to: 'held' | 'waiting'): void {
    this.#change(range, GONE, HELD);
    if (to === 'waiting') this.release(range);
  }

  /** The whole range of gone messages of which `id` is one. */
  goneAround(id: number): Range {
    let low = id - this.row.first;
    let high = low;
    while (low > 0 && this.#states[low - 1] === GONE) low--;
    while (high + 1 < this.row.count && this.#states[high + 1] === GONE) high++;
    return { first: this.row.first + low, last: this.row.first + high };
  }

  /** Changes the state of those of the messages that are in state `from`; answers which they were. */
  #change({ first, last }: Range, from: number, to: number): Range[] {
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
      this.#count(from, start - i);
      this.#count(to, i - start);
      changed.push({ first: base + start, last: base + i - 1 });
    }
    return changed;
  }

  #count(state: number, by: number): void {
    if (state === WAITING) this.waiting += by;
    else if (state === GONE) this.gone += by;
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
