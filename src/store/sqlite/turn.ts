import { now } from '../../clock.ts';

/**
 * For so long, in ms, the store works at a time: then it commits, which may take as long again, and others have
 * their turn. Whoever asks for something waits for two turns or three.
 */
const TURN = 5;

/** In bytes: what is put within a turn is written to the disk with it, which takes longer. */
export const TURN_BYTES = 512 * 1024;

/** So much is done in any turn: what is little is one step, also where the machine is slow. */
const LEAST = 100;

/** Asked for each thing that is to be done, or for some that were done together: whether the rest is for another turn. */
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
