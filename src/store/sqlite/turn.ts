import { now } from '../../clock.ts';

/**
 * Milliseconds that the store works at a time. Then it commits, which may take as long again, and others have their
 * turn. A request waits for two or three turns.
 */
const TURN = 5;

/** Bytes that are put within a turn at most: their writing to disk is part of it, and takes longer. */
export const TURN_BYTES = 512 * 1024;

/** Things that are done in any turn, so that little work is one step on a slow machine, too. */
const LEAST = 100;

/** Called for each thing that is done, or for some at once. @returns whether the rest is for another turn */
export type IsOver = (things?: number) => boolean;

export const never: IsOver = () => false;

/** Begins a turn. */
export function aTurn(least = LEAST): IsOver {
  const end = now() + TURN;
  let asked = 0;
  return (things = 1) => {
    asked += things;
    return asked >= least && now() >= end;
  };
}
