import type { QueueState } from '../queue-state.ts';
import { DELAYED, GONE, HELD, LEASED, type State } from './batch.ts';
import type { QueueRow } from './tables/table-rows.ts';

/** QueueRow.closed: messages that come back are dropped. */
export const CLOSED_NOW = 2;

/** The numbers of a queue's messages by state: those in its row, and that of the held ones, which is not stored. */
export class QueueCounts {
  readonly row: QueueRow;
  #held = 0;

  constructor(row: QueueRow) {
    this.row = row;
  }

  get held(): number {
    return this.#held;
  }

  get waiting(): number {
    return this.row.size - this.#held - this.row.leased - this.row.delayed;
  }

  /** The number of messages that are waiting or delayed. */
  get pending(): number {
    return this.row.size - this.#held - this.row.leased;
  }

  /** The number of messages that may still be put. */
  get room(): number {
    return this.row.maxsize === 0 ? Infinity : Math.max(0, this.row.maxsize - this.pending);
  }

  /** Counts messages that have come into this state. */
  add(state: State, by: number): void {
    if (state === HELD) this.#held += by;
    else if (state === LEASED) this.row.leased += by;
    else if (state === DELAYED) this.row.delayed += by;
    else if (state === GONE) this.row.size -= by;
  }
}

/** @param held the number of held messages, which is not stored */
export function queueStateOf(row: QueueRow, held: number, oldestAt: number | undefined): QueueState {
  // Name by name: to copy what is left of a row takes longer than to read it.
  const { name, kind, maxsize, max_attempts, retry_delay, dead_letter, max_leased, size, delayed, leased } =
    row;
  const { put, got, done, failed, dead, expired } = row;
  return {
    name,
    kind,
    maxsize,
    max_attempts,
    retry_delay,
    dead_letter,
    max_leased,
    closed: row.closed === CLOSED_NOW ? 'now' : row.closed === 1,
    paused: row.paused === 1,
    waiting: size - held - leased - delayed,
    delayed,
    held,
    leased,
    put,
    got,
    done,
    failed,
    dead,
    expired,
    oldestAt,
  };
}
