import type { MqError } from '../../errors.ts';
import type { Run } from '../store.ts';
import { isDamaged, isExpired, type StoredQueue } from './queue.ts';
import type { BatchRow, Place, ReadyRow, Tables } from './tables.ts';
import type { IsOver } from './turn.ts';

/** No more batches, and bytes, are labelled anew by one statement. */
const MOST_ROWS = 100;
const MOST_BYTES = 256 * 1024;

/** So many bytes of a batch take as long as a small one. */
const SMALL = 8 * 1024;

/** A move from one queue to the end of another, or to its own. */
export interface Move {
  source: StoredQueue;
  /** Makes the queue where it is not there. */
  target: () => StoredQueue;
  /** Only messages with lesser ids. */
  before: number;
  /** No more messages. */
  count: number;
  /** For how many the target has room, and the error when it has none for the next one. */
  room: number;
  refusal: () => MqError;
  now: number;
  /** Sets ids aside; answers the first. */
  newIds: (count: number) => number;
  /** Puts messages of one batch at the target's end, as one batch. */
  copy: (runs: readonly Run[], row: BatchRow) => void;
}

/**
 * Moves what waits, in order and without what has expired, until `isOver`. Batches of which all messages
 * wait are labelled anew and not read: what was altered in them is found by whoever takes it.
 * @param from where to go on
 * @returns how many were moved, and where to go on; undefined: that was all
 * @throws MqError the refusal, DAMAGED: when nothing was moved before
 */
export function moveSome(
  tables: Tables,
  move: Move,
  from: Place | undefined,
  isOver: IsOver,
): { moved: number; from: Place | undefined } {
  const { source, before, count, now } = move;
  const { step } = source;
  let place = from ?? { priority: -Infinity, first: 0 };
  let moved = 0;
  while (moved < count) {
    const rows = tables.readyWith(source.row.id, step, place, before, MOST_ROWS);
    if (rows.length === 0) {
      const priority = tables.priorityAfter(source.row.id, place.priority, before);
      if (priority === undefined) return { moved, from: undefined };
      place = { priority, first: step === 1 ? 0 : before - 1 };
    }
    for (let i = 0; i < rows.length && moved < count; ) {
      const row = rows[i] as ReadyRow;
      let through = 1;
      if (!isExpired(row, now) && source.isWaiting(row)) {
        const most = Math.min(count, move.room) - moved;
        const whole = wholeOf(source, rows.slice(i), most, now);
        try {
          if (most === 0) throw move.refusal();
          if (whole.length > 0) moved += relabel(tables, move, whole);
          else moved += copySome(move, row, most);
        } catch (error) {
          if (moved > 0 && (most === 0 || isDamaged(error))) return { moved, from: place };
          throw error;
        }
        through = Math.max(1, whole.length);
      }
      i += through;
      const { priority, first } = rows[i - 1] as ReadyRow;
      // Of a batch that was not moved as a whole nothing else is: the count or the room was used up.
      if (moved < count && moved === move.room) return { moved, from: { priority, first } };
      place = { priority, first: first + step };
      const bytes = rows.slice(i - through, i).reduce((sum, each) => sum + each.bytes, 0);
      if (isOver(through + Math.floor(bytes / SMALL))) return { moved, from: place };
    }
  }
  return { moved, from: undefined };
}

/** Those of the first batches of which all messages wait, and that stay in order as they are. */
function wholeOf(source: StoredQueue, rows: readonly ReadyRow[], most: number, now: number): ReadyRow[] {
  let [messages, bytes] = [0, 0];
  const end = rows.findIndex((row, i) => {
    messages += row.count;
    bytes += row.bytes;
    const isInOrder = source.step === 1 || row.count === 1;
    const fits = messages <= most && (i === 0 || bytes <= MOST_BYTES);
    return !(fits && isInOrder && !isExpired(row, now) && source.isWhole(row));
  });
  return end < 0 ? [...rows] : rows.slice(0, end);
}

function relabel(tables: Tables, { source, target, newIds }: Move, rows: readonly ReadyRow[]): number {
  const to = target();
  const count = rows.reduce((sum, row) => sum + row.count, 0);
  const priority = to.row.kind === 'priority' ? (rows[0] as ReadyRow).priority : 0;
  const place = { first: newIds(count), priority };
  tables.relabel(source.row.id, rows, to.row.id, { ...place, count });
  source.left(rows, count);
  to.joined(rows, place, count);
  return count;
}

function copySome({ source, copy }: Move, row: ReadyRow, most: number): number {
  const runs = source.runsIn(row, most);
  copy(runs, row);
  return runs.reduce((sum, { messages }) => sum + messages.count, 0);
}
