import type { DatabaseSync } from 'node:sqlite';
import { now } from '../../clock.ts';
import { finishLog, pragma } from './pragma.ts';
import type { Room } from './room.ts';

/** Milliseconds between two looks. */
const LOOK_EVERY = 1000;

/** Looks, one after the other, at which pages must have been unused to be given back. */
const LOOKS = 5;

/** PRAGMA auto_vacuum. */
const INCREMENTAL = 2;

/** Pages that stay for the next puts. */
const KEPT = 1024;

/** Milliseconds of work at a time, and how many times as long it rests then while others work. */
const TURN = 8;
const REST = 9;

/** Milliseconds until the next try after a failure: there may be no room for it. */
const TRY_AGAIN = 10_000;

/** Pages given back at first, about a millisecond's work. */
const FEW = 64;

/**
 * Gives room in the file back to the disk, a little at a time: pages that have long been unused, or any as soon as
 * the disk is full. Works for files with incremental vacuum (https://sqlite.org/pragma.html#pragma_incremental_vacuum).
 */
export class Vacuum {
  readonly #db: DatabaseSync;
  readonly #room: Room;
  readonly #failed: (error: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  /** The numbers of pages that were unused at the last looks. */
  #unused: number[] = [];
  /** Pages given back at a time. */
  #pages = FEW;
  /** Whether nothing was committed since the last look, or the last part. */
  #isIdle = false;
  #isClosed = false;

  /** @param failed receives errors, of a damaged file for instance */
  constructor(db: DatabaseSync, room: Room, failed: (error: unknown) => void) {
    this.#db = db;
    this.#room = room;
    this.#failed = failed;
    this.#in(LOOK_EVERY, () => this.#look());
  }

  /** To be called after each commit. */
  committed(): void {
    this.#isIdle = false;
    if (this.#timer === undefined) this.#in(LOOK_EVERY, () => this.#look());
  }

  /** Gives back as many pages as a turn has time for; the disk has them once the log is brought into the file. */
  now(): void {
    this.#try(() => this.#part(Infinity));
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #look(): void {
    const isIdle = this.#isIdle;
    this.#isIdle = true;
    const isLacking = this.#room.provide();
    const unused = pragma(this.#db, 'auto_vacuum') === INCREMENTAL ? pragma(this.#db, 'freelist_count') : 0;
    this.#unused = [...this.#unused, unused].slice(-LOOKS);
    const isLong = this.#unused.length === LOOKS;
    const spare = this.#room.isFull ? unused : isLong ? Math.min(...this.#unused) - KEPT : 0;
    if (spare > 0) this.#giveBack(spare);
    else if (unused > KEPT || isLacking || !isIdle) this.#in(LOOK_EVERY, () => this.#look());
    else {
      this.#unused = [];
      finishLog(this.#db, 'TRUNCATE');
    }
  }

  #giveBack(spare: number): void {
    const rest = this.#isIdle ? 1 : REST;
    this.#isIdle = true;
    const { given, took } = this.#part(spare);
    if (given > 0 && given < spare) this.#in(took * rest, () => this.#giveBack(spare - given));
    else this.#in(LOOK_EVERY, () => this.#look());
  }

  /** @returns the number of pages that were given back, and the milliseconds that it took */
  #part(most: number): { given: number; took: number } {
    const before = pragma(this.#db, 'freelist_count');
    const begun = now();
    this.#db.exec(`PRAGMA incremental_vacuum(${Math.min(most, this.#pages)})`);
    const took = Math.max(0.1, now() - begun);
    const given = before - pragma(this.#db, 'freelist_count');
    this.#unused = this.#unused.map((pages) => pages - given);
    this.#room.committed(false);
    this.#pages = Math.max(FEW, Math.floor(Math.min(this.#pages * 2, (given * TURN) / took)));
    return { given, took };
  }

  #in(ms: number, run: () => void): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#try(run);
    }, ms).unref();
  }

  #try(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#failed(error);
      if (this.#timer === undefined) this.#in(TRY_AGAIN, () => this.#look());
    }
  }
}
