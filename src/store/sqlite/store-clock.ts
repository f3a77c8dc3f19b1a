import type { Clock } from '../store.ts';
import type { Undo } from './group-commit.ts';
import type { Tables } from './tables/tables.ts';

/** Milliseconds after which the time in the file is renewed. */
const RENEW_EVERY = 1000;

/**
 * The store's clock for leases, delays and times to live, in ms since 1970. It goes on from the latest time in the file
 * if this process's clock was set back.
 */
export class StoreClock {
  readonly #tables: Tables;
  readonly #clock: Clock;
  readonly #undo: (undo: Undo) => void;
  /** Milliseconds by which the store's clock is ahead of this process's. */
  readonly #ahead: number;
  /** The time as the file has it. */
  #saved: number;
  /** `Sql.changes` as of the last commit. */
  #committed = 0;

  /** @param undo see GroupCommit.undo */
  constructor(tables: Tables, clock: Clock, undo: (undo: Undo) => void) {
    this.#tables = tables;
    this.#clock = clock;
    this.#undo = undo;
    this.#saved = tables.store.clock();
    this.#ahead = Math.max(0, this.#saved - clock());
  }

  now(): number {
    return this.#clock() + this.#ahead;
  }

  beforeCommit(): void {
    const [now, saved] = [this.now(), this.#saved];
    // Alone it is not written: the disk may be full.
    if (now < saved + RENEW_EVERY || this.#tables.sql.changes === this.#committed) return;
    this.#tables.store.setClock(now);
    this.#saved = now;
    this.#undo(() => {
      this.#saved = saved;
    });
  }

  afterCommit(): void {
    this.#committed = this.#tables.sql.changes;
  }

  /** To be called in the last step of a store. */
  end(): void {
    this.#tables.store.setClock(this.now());
  }
}
