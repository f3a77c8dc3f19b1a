import { now } from '../../clock.ts';

/** For so long, in ms, the store works at a time: then it commits, and others have their turn. */
const TURN = 12;

/** So much is done in any turn: what is little is one step, also where the machine is slow. */
const LEAST = 100;

/** Begins a turn; answers what says, asked for each thing that is to be done, whether it is over. */
export function aTurn(least = LEAST): () => boolean {
  const end = now() + TURN;
  let asked = 0;
  return () => ++asked >= least && now() >= end;
}
