import {
  accessSync,
  closeSync,
  constants,
  lstatSync,
  openSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { type Code, errnoOf, isDiskFull, MqError } from '../../errors.ts';
import { reasonOf } from '../../reasons.ts';
import type { Reserve } from '../../reserve.ts';
import { finishLog, PAGE, pragma } from './pragma.ts';
import { STEPS } from './schema.ts';

/** "mqst": so that no other program's database is taken for a store (PRAGMA application_id). */
const APPLICATION_ID = 0x6d717374;

/** Bytes. A file up to this size is checked from end to end when it is opened (about 10 ms). */
const CHECK_UP_TO = 16 * 1024 * 1024;

/**
 * Opens the store file, made or brought to this version's layout as needed. It stays locked until
 * the database is closed or the process ends.
 * @throws MqError INUSE, DAMAGED, DISKFULL, IOERROR, NOTALLOWED; a file that is refused stays as it is
 */
export function openDatabase(path: string, reserve: Reserve): DatabaseSync {
  try {
    const [isNew] = [path, `${path}-wal`].map((file) => !isThere(file));
    // SQLite would make the file with the umask's rights, but it holds people's messages.
    if (isNew) closeSync(openSync(path, 'a', 0o600));
    const db = new DatabaseSync(path);
    // With an exclusive lock from the first access on, WAL needs no shared memory, and a second
    // daemon is refused by the kernel, whatever became of the first (https://sqlite.org/wal.html#noshm).
    db.exec('PRAGMA locking_mode = EXCLUSIVE');
    const version = layoutOf(db, path);
    // Only before the first table is made; others have it from `rewrite`.
    if (version === 0) db.exec('PRAGMA auto_vacuum = INCREMENTAL');
    db.exec(`
      PRAGMA journal_mode = WAL;
      -- Commits are synced by Syncer. Where the log begins anew and where it goes into the file, SQLite syncs.
      PRAGMA synchronous = NORMAL;
      PRAGMA cache_size = -8192;
      BEGIN EXCLUSIVE; COMMIT;
    `);
    migrate(db, version, reserve);
    return db;
  } catch (cause) {
    // Not closed: closing would write the log into a file that may be damaged. The process ends.
    throw toMqError(cause, path);
  }
}

/**
 * Whether a file of the store is there and usable. SQLite would say less, or wait.
 * @throws MqError NOTALLOWED
 */
function isThere(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return false;
  if (found.isFile()) {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  }
  // The log stands beside the file that a link leads to, where nobody looks for it.
  throw new MqError('NOTALLOWED', `the store ${path} is ${kindOf(found)}, not a file`, {
    advice: found.isSymbolicLink()
      ? 'Put the file itself there, or make the whole folder a link.'
      : 'Move it away, or set MQ_HOME to another folder.',
  });
}

function kindOf(found: Stats): string {
  if (found.isSymbolicLink()) return 'a symbolic link';
  if (found.isDirectory()) return 'a folder';
  return found.isFIFO() ? 'a named pipe' : 'a socket or a device';
}

/** The error for one of SQLite's (https://sqlite.org/rescode.html). */
export function toMqError(error: unknown, path: string): MqError {
  if (error instanceof MqError) return error;
  const errcode =
    error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : 0;
  const [code, what] = meaningOf(error, errcode, path) ??
    MEANINGS[errcode & 0xff] ?? ['INTERNAL', 'the store failed'];
  return new MqError(code, `${what}: ${path}: ${reasonOf(error)}`, {
    cause: error,
  });
}

/** The error for one of the file system's, before SQLite has opened the file, of a sync, or behind one of SQLite's. */
function meaningOf(error: unknown, errcode: number, path: string): [Code, string] | undefined {
  const mayBeFull = errcode === IOERR_WRITE || errcode === CANTOPEN;
  if (isDiskFull(error) || (mayBeFull && hasNoRoom(path))) return ['DISKFULL', 'the disk is full'];
  const errno = errnoOf(error);
  if (errno === 'EACCES' || errno === 'EPERM') return ['NOTALLOWED', 'the store cannot be used'];
  return errno?.startsWith('E') && !errno.startsWith('ERR_')
    ? ['IOERROR', 'the store cannot be used']
    : undefined;
}

/** Whether the disk is full: SQLite does not say so of a quota, nor of a log that has no room as a file. */
const IOERR_WRITE = 778;
const CANTOPEN = 14;

/** Bytes, more than SQLite writes for most commits. */
const PROBE = 1024 * 1024;

function hasNoRoom(path: string): boolean {
  const probe = `${path}-probe`;
  try {
    writeFileSync(probe, Buffer.alloc(PROBE), { mode: 0o600 });
    return false;
  } catch (error) {
    return isDiskFull(error);
  } finally {
    rmSync(probe, { force: true });
  }
}

const FULL = 13;

/** Bytes of the reserve given up at a time, until there is room for a step of the layout. */
const FOR_A_STEP = 1024 * 1024;

const MEANINGS: Record<number, [Code, string]> = {
  5: ['INUSE', 'another daemon uses the store'], // SQLITE_BUSY
  6: ['INUSE', 'another daemon uses the store'], // SQLITE_LOCKED
  8: ['IOERROR', 'the store cannot be written'], // SQLITE_READONLY
  10: ['IOERROR', 'the store cannot be read or written'], // SQLITE_IOERR
  11: ['DAMAGED', 'the store is damaged'], // SQLITE_CORRUPT
  [FULL]: ['DISKFULL', 'the disk is full'], // SQLITE_FULL
  14: ['IOERROR', 'the store cannot be opened'], // SQLITE_CANTOPEN
  26: ['DAMAGED', 'the store is damaged'], // SQLITE_NOTADB
};

function layoutOf(db: DatabaseSync, path: string): number {
  const application = pragma(db, 'application_id');
  const version = pragma(db, 'user_version');
  if (version === 0 && pragma(db, 'schema_version') === 0) return 0;
  if (application !== APPLICATION_ID) {
    throw new MqError('DAMAGED', `${path} is not a store of mq`, {
      advice: 'The file was left as it is. Move it away, or set MQ_HOME to another folder.',
    });
  }
  if (version > STEPS.length) {
    throw new MqError(
      'DAMAGED',
      `${path} was written by a newer mq (layout ${version}, this one knows ${STEPS.length})`,
      {
        advice: 'Use the newer mq, or set MQ_HOME to another folder.',
      },
    );
  }
  if (statSync(path).size <= CHECK_UP_TO) {
    const result = Object.values(db.prepare('PRAGMA quick_check(1)').get() ?? {})[0];
    if (result !== 'ok') throw new MqError('DAMAGED', `the store is damaged: ${path}: ${result}`);
  }
  return version;
}

function migrate(db: DatabaseSync, version: number, reserve: Reserve): void {
  for (let step = version; step < STEPS.length; ) {
    try {
      db.exec(`
        BEGIN;
        ${STEPS[step]}
        PRAGMA application_id = ${APPLICATION_ID};
        PRAGMA user_version = ${step + 1};
        COMMIT;
      `);
      step += 1;
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      if (!(error instanceof Error && 'errcode' in error && error.errcode === FULL)) throw error;
      if (!reserve.giveUp(FOR_A_STEP)) throw error;
    }
  }
}

/**
 * Writes the file of an older layout anew, if little of it is in use, so that room in it can be given back from then
 * on (a new file can do that from its first table on). Takes up to a second.
 */
export function rewrite(db: DatabaseSync): void {
  if (pragma(db, 'auto_vacuum') !== 0) return;
  if ((pragma(db, 'page_count') - pragma(db, 'freelist_count')) * PAGE > CHECK_UP_TO) return;
  // A damaged file stays as it is.
  if (Object.values(db.prepare('PRAGMA quick_check(1)').get() ?? {})[0] !== 'ok') return;
  // In memory: there may be no room for a temporary file.
  db.exec(
    'PRAGMA temp_store = MEMORY; PRAGMA auto_vacuum = INCREMENTAL; VACUUM; PRAGMA temp_store = DEFAULT',
  );
  finishLog(db, 'TRUNCATE');
}
