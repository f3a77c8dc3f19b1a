import type { DatabaseSync } from 'node:sqlite';

/** Bytes of a page of SQLite's, the default. */
export const PAGE = 4096;

export function pragma(db: DatabaseSync, name: string): number {
  return Number(Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
}

/**
 * Brings the log into the file: a checkpoint (https://sqlite.org/wal.html#ckpt).
 * @param mode TRUNCATE also cuts the log to nothing
 * @returns whether all of it is in the file; a full disk may have no room
 */
export function finishLog(db: DatabaseSync, mode: 'PASSIVE' | 'TRUNCATE'): boolean {
  try {
    const { busy, log, checkpointed } = db.prepare(`PRAGMA wal_checkpoint(${mode})`).get() ?? {};
    return busy === 0 && log === checkpointed;
  } catch {
    return false;
  }
}
