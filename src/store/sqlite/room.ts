import { statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { now } from '../../clock.ts';
import { MqError } from '../../errors.ts';
import type { Reserve } from '../../reserve.ts';
import { finishLog, PAGE, pragma } from './pragma.ts';

const KB = 1024;
const MB = 1024 * KB;

/** In bytes: no put takes the last of the room. A get needs less than half of it to be recorded. */
const KEPT = 256 * KB;

/** The reserve is of this size, in bytes, and on a small disk so much of what is free there. */
const MOST_RESERVE = 16 * MB;
const SHARE = 1 / 8;

/** Where there is much room it grows by so much at a time, in bytes: that takes some ms. */
const GROWTH = 4 * MB;

/** So much of the reserve, and at least that in bytes, is given up at a time. */
const PORTION = 1 / 8;
const LEAST_PORTION = 128 * KB;

/** Where less is free, in bytes, the log is short: it is brought into the file, and begins anew, after so many pages. */
const TIGHT = 128 * MB;
const TIGHT_LOG = 64;
// More would hold everybody up: some 15 ms for each thousand.
const ROOMY_LOG = 1000;

/** What messages take up in the file and in its log, over their bytes. */
const AROUND = 1.1;

/** What was found holds for so long, in ms: others write on this disk too. */
const LOOK_EVERY = 1000;

/** In bytes. */
interface Disk {
  free: number;
  /** The log as a file. */
  log: number;
  /** What the file grows by when the log is brought into it. */
  growth: number;
  /** In the file. */
  unused: number;
}

/**
 * Sees to it that a full disk can be drained. Whatever is done is first written into the log, and later
 * brought from there into the file, which grows by then. So a put is refused where it would leave too little
 * for that, and for what takes messages away. If others fill the disk, the reserve is given up, portion by
 * portion, by the steps that take messages away: it is as large as what the log may have for the file.
 */
export class Room {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #reserve: Reserve;
  readonly #giveBack: () => void;
  /** So many bytes may be put before it is looked again, until then. */
  #credit = 0;
  #lookAt = 0;
  #logPages = 0;
  #isFull: boolean;
  /** So many bytes were put and not committed yet. */
  #put = 0;
  /** All of the log is in the file: it begins anew with the next transaction. */
  #isLogDone = false;

  /** @param giveBack gives some of what is unused in the file back to the disk */
  constructor(db: DatabaseSync, path: string, reserve: Reserve, giveBack: () => void) {
    this.#db = db;
    this.#path = path;
    this.#reserve = reserve;
    this.#giveBack = giveBack;
    const disk = this.#look();
    this.#setLog(disk);
    this.#isFull = disk.free < KEPT;
  }

  /** The disk was found full, and there was no room for a put since. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** To be asked before a put of so many bytes is begun. @returns why it cannot be; nothing in it may be stored then */
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

  /** To be called before messages are handed out. @throws MqError DISKFULL: it could not be recorded that they are done */
  checkTake(): void {
    if (!this.#isFull) return;
    const { free, log } = this.#look();
    if (free + (this.#isLogDone ? log : 0) + this.#reserve.size < KEPT / 2) throw this.#full();
  }

  /** A step found the disk full. */
  found(): void {
    this.#isFull = true;
    this.#credit = 0;
    this.#finishLog();
  }

  /**
   * A step found the disk full that takes messages away.
   * @param isFirst it had not been tried again yet
   * @returns whether there is more room now
   */
  make(isFirst: boolean): boolean {
    this.found();
    if (isFirst && this.#isLogDone && this.#look().log >= KEPT / 2) return true;
    const hadMore = this.#reserve.giveUp(Math.max(this.#reserve.size * PORTION, LEAST_PORTION));
    this.#finishLog();
    return hadMore;
  }

  /** @param isAll no step waits for another transaction */
  committed(isAll: boolean): void {
    this.#isLogDone = false;
    if (isAll) this.#put = 0;
    if (!this.#isFull) return;
    this.#finishLog();
    // So that the reserve is there again as soon as there is room.
    this.#hasRoom(0);
  }

  /** To be called now and then, when no put waits for it. @returns whether it is to be called again soon */
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
    // It may still find room in the log and the file as they are.
    if (this.#isFull) return log + file === 0;
    if (disk.free < TIGHT) this.#reserve.grow(wanted);
    // For the puts of this turn and of the next ones.
    this.#credit = size + spare / 4;
    this.#lookAt = now() + LOOK_EVERY;
    return true;
  }

  /** The size of the reserve that there should be. */
  #wanted({ free }: Disk): number {
    return Math.floor(Math.min(MOST_RESERVE, (free + this.#reserve.size) * SHARE));
  }

  #look(): Disk {
    const size = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    try {
      const { bavail, bfree, bsize } = statfsSync(dirname(this.#path));
      return {
        // Some is kept for the superuser on many disks.
        free: (process.getuid?.() === 0 ? bfree : bavail) * bsize,
        log: size(`${this.#path}-wal`),
        growth: Math.max(0, pragma(this.#db, 'page_count') * PAGE - size(this.#path)),
        unused: pragma(this.#db, 'freelist_count') * PAGE,
      };
    } catch {
      // The folder has gone, or the file is damaged: whoever writes or reads finds that out.
      return { free: Infinity, log: 0, growth: 0, unused: 0 };
    }
  }

  #setLog({ free }: Disk): void {
    const pages = free < TIGHT ? TIGHT_LOG : ROOMY_LOG;
    if (pages === this.#logPages) return;
    this.#logPages = pages;
    this.#db.exec(`PRAGMA wal_autocheckpoint = ${pages}; PRAGMA journal_size_limit = ${pages * PAGE}`);
  }

  /** Brings the log into the file, as far as there is room; then it can begin anew. */
  #finishLog(): void {
    this.#isLogDone = finishLog(this.#db, 'PASSIVE');
  }

  /** The same; the log as a file takes up no room then. */
  #cutLog(): void {
    this.#isLogDone = finishLog(this.#db, 'TRUNCATE');
  }

  #full(): MqError {
    const why = 'what is left is kept for those who take messages away';
    return new MqError('DISKFULL', `the disk is full: ${dirname(this.#path)}: ${why}`);
  }
}
