import { statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { now } from '../../clock.ts';
import { MqError } from '../../errors.ts';
import type { Reserve } from '../../reserve.ts';
import { finishLog, PAGE, pragma } from './pragma.ts';

const KB = 1024;
const MB = 1024 * KB;

/** Bytes of room that no put takes. The record of a get needs less than half of them. */
const KEPT = 256 * KB;

/** Bytes of the reserve, and the part of free room that it takes on a small disk. */
const MOST_RESERVE = 16 * MB;
const SHARE = 1 / 8;

/** Bytes by which the reserve grows at a time when there is much room, which takes some ms. */
const GROWTH = 4 * MB;

/** The part of the reserve that is given up at a time, and its least bytes. */
const PORTION = 1 / 8;
const LEAST_PORTION = 128 * KB;

/** Bytes of free room below which the log is kept short, and the pages after which it is brought into the file and begins anew. */
const TIGHT = 128 * MB;
const TIGHT_LOG = 64;
// More would hold everybody up: some 15 ms for each thousand.
const ROOMY_LOG = 1000;

/** Room that messages take up in the file and in its log, as a multiple of their bytes. */
const AROUND = 1.1;

/** Milliseconds for which a look at the disk holds: others write on it too. */
const LOOK_EVERY = 1000;

/** In bytes. */
interface Disk {
  free: number;
  /** Bytes of the log as a file. */
  log: number;
  /** Bytes by which the file grows when the log is brought into it. */
  growth: number;
  /** In the file. */
  unused: number;
}

/**
 * The room on the disk, kept so that a full disk can be drained. Each step is first written into the log, and later
 * brought from there into the file, which then grows. So a put is refused if it would leave too little room for that,
 * and for steps that take messages away. If others fill the disk, these steps give up the reserve, portion by portion:
 * it is as large as what the log may bring into the file.
 */
export class Room {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #reserve: Reserve;
  readonly #giveBack: () => void;
  /** Bytes that may be put before the next look at the disk, and the time of that look. */
  #credit = 0;
  #lookAt = 0;
  #logPages = 0;
  #isFull: boolean;
  /** Bytes that were put and are not committed yet. */
  #put = 0;
  /** Whether all of the log is in the file, so that it begins anew with the next transaction. */
  #isLogDone = false;

  /** @param giveBack gives unused pages of the file back to the disk */
  constructor(db: DatabaseSync, path: string, reserve: Reserve, giveBack: () => void) {
    this.#db = db;
    this.#path = path;
    this.#reserve = reserve;
    this.#giveBack = giveBack;
    const disk = this.#look();
    this.#setLog(disk);
    this.#isFull = disk.free < KEPT;
  }

  /** Whether the disk was found full, and has had no room for a put since. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** To be asked before a put of so many bytes. @returns the reason to refuse it; then nothing of it may be stored */
  refusal(bytes: number): MqError | undefined {
    const size = bytes * AROUND;
    const isKnown = size <= this.#credit && now() < this.#lookAt;
    if (!isKnown && !this.#hasRoom(size)) {
      this.#giveBack();
      this.#cutLog();
      if (!this.#hasRoom(size)) return this.#full();
    }
    this.#put += size;
    this.#credit -= size;
    return undefined;
  }

  /** To be called before messages are handed out. @throws MqError DISKFULL when there is no room to record that they are done */
  checkTake(): void {
    if (!this.#isFull) return;
    const { free, log } = this.#look();
    if (free + (this.#isLogDone ? log : 0) + this.#reserve.size < KEPT / 2) throw this.#full();
  }

  /** To be called when a step found the disk full. */
  found(): void {
    this.#isFull = true;
    this.#credit = 0;
    this.#finishLog();
  }

  /**
   * To be called when a step that takes messages away found the disk full.
   * @param isFirst whether it has not been tried again yet
   * @returns whether there is more room now
   */
  make(isFirst: boolean): boolean {
    this.found();
    if (isFirst && this.#isLogDone && this.#look().log >= KEPT / 2) return true;
    const hadMore = this.#reserve.giveUp(Math.max(this.#reserve.size * PORTION, LEAST_PORTION));
    this.#finishLog();
    return hadMore;
  }

  /** @param isAll whether no step waits for another transaction */
  committed(isAll: boolean): void {
    this.#isLogDone = false;
    if (isAll) this.#put = 0;
    if (!this.#isFull) return;
    this.#finishLog();
    // The reserve is filled again as soon as there is room.
    this.#hasRoom(0);
  }

  /** To be called now and then, when no put waits. @returns whether to call it again soon */
  provide(): boolean {
    const disk = this.#look();
    this.#setLog(disk);
    const wanted = this.#wanted(disk);
    const { size } = this.#reserve;
    if (disk.free > 2 * wanted) this.#reserve.grow(Math.min(wanted, size + GROWTH));
    return size < this.#reserve.size && this.#reserve.size < wanted;
  }

  rolledBack(): void {
    this.#put = 0;
  }

  #hasRoom(size: number): boolean {
    const disk = this.#look();
    this.#setLog(disk);
    const put = this.#put + size;
    const log = Math.max(0, put + (this.#isLogDone ? 0 : this.#logPages * PAGE) - disk.log);
    const file = disk.growth + Math.max(0, put - disk.unused);
    const wanted = this.#wanted(disk);
    const lacking = Math.max(0, wanted - this.#reserve.size);
    const spare = disk.free - log - file - lacking - KEPT;
    this.#isFull = spare < 0;
    // The step may still find room in the log and the file as they are.
    if (this.#isFull) return log + file === 0;
    if (disk.free < TIGHT) this.#reserve.grow(wanted);
    // For the puts of this turn and of the next ones.
    this.#credit = size + spare / 4;
    this.#lookAt = now() + LOOK_EVERY;
    return true;
  }

  /** The wanted size of the reserve. */
  #wanted({ free }: Disk): number {
    return Math.floor(Math.min(MOST_RESERVE, (free + this.#reserve.size) * SHARE));
  }

  #look(): Disk {
    const size = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    try {
      const { bavail, bfree, bsize } = statfsSync(dirname(this.#path));
      return {
        // Many disks keep some room for the superuser.
        free: (process.getuid?.() === 0 ? bfree : bavail) * bsize,
        log: size(`${this.#path}-wal`),
        growth: Math.max(0, pragma(this.#db, 'page_count') * PAGE - size(this.#path)),
        unused: pragma(this.#db, 'freelist_count') * PAGE,
      };
    } catch {
      // The folder has gone, or the file is damaged, which a step that reads or writes will find.
      return { free: Infinity, log: 0, growth: 0, unused: 0 };
    }
  }

  #setLog({ free }: Disk): void {
    const pages = free < TIGHT ? TIGHT_LOG : ROOMY_LOG;
    if (pages === this.#logPages) return;
    this.#logPages = pages;
    this.#db.exec(`PRAGMA wal_autocheckpoint = ${pages}; PRAGMA journal_size_limit = ${pages * PAGE}`);
  }

  /** Brings the log into the file, as far as there is room, so that it can begin anew. */
  #finishLog(): void {
    this.#isLogDone = finishLog(this.#db, 'PASSIVE');
  }

  /** Brings the log into the file, and cuts it to nothing. */
  #cutLog(): void {
    this.#isLogDone = finishLog(this.#db, 'TRUNCATE');
  }

  #full(): MqError {
    const why = 'what is left is kept for those who take messages away';
    return new MqError('DISKFULL', `the disk is full: ${dirname(this.#path)}: ${why}`);
  }
}
