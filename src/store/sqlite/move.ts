import type { MqError } from '../../errors.ts';
import { isDamaged } from '../rules.ts';
import type { Run } from '../run.ts';
import { isExpired } from './batch.ts';
import type { StoredQueue } from './stored-queue.ts';
import type { BatchRow, OrderKey, Page } from './tables/table-rows.ts';
import type { Tables } from './tables/tables.ts';
import { type IsOver, TURN_BYTES } from './turn.ts';

/** The most batches, and bytes, that one statement labels anew, and the most ids between them. */
const MOST_ROWS = 100;
const MOST_BYTES = 256 * 1024;
const MOST_IDS = 10_000;

/** Bytes of a batch that take as long as a small one. */
const SMALL = 8 * 1024;

/** Bytes of a part of a move, about the most. */
export const MOVED = 1024 * 1024;

/** A move from one queue to the end of another, or to its own. */
export interface Move {
  source: StoredQueue;
  /** Makes the queue if it is not there. */
  target: () => StoredQueue;
  /** The id before which messages are moved. */
  before: number;
  /** The most messages. */
  count: number;
  /** The number of messages that the target has room for, and the error when it has none for the next. */
  room: number;
  refusal: () => MqError;
  now: number;
  /** Sets ids aside. @returns the first */
  newIds: (count: number) => number;
  /** Puts messages of one batch at the target's end, as one batch. */
  copy: (runs: readonly Run[], row: BatchRow) => void;
}

/**
 * Moves waiting messages, in order and without expired ones, until `isOver`. Batches of which all messages wait are
 * labelled anew and not read, so that altered messages are found when they are taken. If not all messages of a page
 * wait, a smaller page is looked at.
 * @param from the place to go on from
 * @returns the number of messages that were moved, and the place to go on from; undefined: that was all
 * @throws MqError the refusal, DAMAGED: when nothing was moved before
 */
export function moveSome(
  tables: Tables,
  move: Move,
  from: OrderKey | undefined,
  isOver: IsOver,
): { moved: number; from: OrderKey | undefined } {
  const { source, before, count, room, now } = move;
  const { step } = source;
  let place = from ?? { priority: -Infinity, first: 0 };
  let moved = 0;
  let written = 0;
  let size = MOST_ROWS;
  while (moved < count) {
    const page = tables.ready.page(source.row.id, step, place, before, size, now);
    if (page === undefined) {
      const priority = tables.ready.priorityAfter(source.row.id, place.priority, before);
      if (priority === undefined) return { moved, from: undefined };
      place = { priority, first: step === 1 ? 0 : before - 1 };
      continue;
    }
    const most = Math.min(count, room) - moved;
    const isWhole = isWholePage(source, page, most);
    if (!isWhole && page.rows > 1) {
      size = page.rows >> 1;
      continue;
    }
    try {
      moved += isWhole ? relabel(tables, move, page) : moveOne(tables, move, page.first, most);
    } catch (error) {
      if (moved > 0 && (most === 0 || isDamaged(error))) return { moved, from: place };
      throw error;
    }
    // Of a batch that was not moved as a whole nothing else is: the count or the room was used up.
    if (moved > 0 && moved < count && moved === room) return { moved, from: { ...place, first: page.first } };
    place = { ...place, first: step === 1 ? page.last + 1 : page.first - 1 };
    size = Math.min(MOST_ROWS, size * 2);
    written += page.bytes;
    if (isOver(page.rows + Math.floor(page.bytes / SMALL)) || written >= TURN_BYTES)
      return { moved, from: place };
  }
  return { moved, from: undefined };
}

/** Whether all messages of the batches wait, as many may be moved, and their order stays. */
function isWholePage(source: StoredQueue, page: Page, most: number): boolean {
  const { rows, whole, count, bytes, first, last } = page;
  const isSmall = rows === 1 || (bytes <= MOST_BYTES && last - first < MOST_IDS);
  const isInOrder = source.step === 1 || count === rows;
  return whole === rows && count <= most && isSmall && isInOrder && source.batches.areWaiting(page);
}

function relabel(tables: Tables, { source, target, newIds }: Move, page: Page): number {
  const to = target();
  const priority = to.row.kind === 'priority' ? page.priority : 0;
  const place = { first: newIds(page.count), priority };
  tables.ready.relabel(source.row.id, source.step, page, to.row.id, place);
  source.batches.left(page);
  to.batches.joined(page, place);
  return page.count;
}

/** The messages of a single batch that are to be moved. */
function moveOne(tables: Tables, { source, copy, refusal, now }: Move, first: number, most: number): number {
  const row = tables.batch.find(first) as BatchRow;
  if (isExpired(row, now) || !source.batches.isWaiting(row)) return 0;
  if (most === 0) throw refusal();
  const runs = source.runsIn(row, most);
  copy(runs, row);
  return runs.reduce((sum, { messages }) => sum + messages.count, 0);
}
