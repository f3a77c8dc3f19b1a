import { closeSync, existsSync, openSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { type Code, errnoOf, isDiskFull, MqError, textOf } from '../../errors.ts';
import { STEPS } from './schema.ts';

/** "mqst": so that no other program's database is taken for a store (PRAGMA application_id). */
const APPLICATION_ID = 0x6d717374;

/** Up to this size, in bytes, a file is checked from end to end when it is opened (about 10 ms). */
const CHECK_UP_TO = 16 * 1024 * 1024;

/**
 * Opens the store file, made or brought to this version's layout as needed. It stays locked until
 * the database is closed or the process ends.
 * @throws MqError INUSE, DAMAGED, DISKFULL, IOERROR; a file that is refused stays as it is
 */
export function openDatabase(path: string): DatabaseSync {
  const isNew = !existsSync(path);
  let db: DatabaseSync | undefined;
  try {
    // SQLite would make the file with the umask's rights; it holds what people send.
    if (isNew) closeSync(openSync(path, 'a', 0o600));
    db = new DatabaseSync(path);
    // With an exclusive lock from the first access on, WAL needs no shared memory, and a second
    // daemon is refused by the kernel, whatever became of the first (https://sqlite.org/wal.html#noshm).
    db.exec('PRAGMA locking_mode = EXCLUSIVE');
    const version = layoutOf(db, path);
    db.exec(`
      PRAGMA journal_mode = WAL;
      -- Commits are synced by Syncer. Where the log begins anew and where it goes into the file, SQLite syncs.
      PRAGMA synchronous = NORMAL;
      PRAGMA wal_autocheckpoint = 4000;
      PRAGMA journal_size_limit = 67108864;
      PRAGMA cache_size = -8192;
      BEGIN EXCLUSIVE; COMMIT;
    `);
    migrate(db, version);
    return db;
  } catch (cause) {
    // Not closed: closing would write the log into a file that may be damaged. The process ends.
    throw toMqError(cause, path);
  }
}

/** What an error of SQLite's means for mq (https://sqlite.org/rescode.html). */
export function toMqError(error: unknown, path: string): MqError {
  if (error instanceof MqError) return error;
  const errcode =
    error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : 0;
  const [code, what] = meaningOf(error) ?? MEANINGS[errcode & 0xff] ?? ['INTERNAL', 'the store failed'];
  return new MqError(code, `${what}: ${path}: ${textOf(error)}`, {
    cause: error,
  });
}

/** What an error of the file system's means, from before SQLite has opened the file or of a sync. */
function meaningOf(error: unknown): [Code, string] | undefined {
  if (isDiskFull(error)) return ['DISKFULL', 'the disk is full'];
  const errno = errnoOf(error);
  return errno?.startsWith('E') && !errno.startsWith('ERR_')
    ? ['IOERROR', 'the store cannot be used']
    : undefined;
}

const MEANINGS: Record<number, [Code, string]> = {
  5: ['INUSE', 'another daemon uses the store'], // SQLITE_BUSY
  6: ['INUSE', 'another daemon uses the store'], // SQLITE_LOCKED
  8: ['IOERROR', 'the store cannot be written'], // SQLITE_READONLY
  10: ['IOERROR', 'the store cannot be read or written'], // SQLITE_IOERR
  11: ['DAMAGED', 'the store is damaged'], // SQLITE_CORRUPT
  13: ['DISKFULL', 'the disk is full'], // SQLITE_FULL
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

function migrate(db: DatabaseSync, version: number): void {
  for (let step = version; step < STEPS.length; step++) {
    db.exec(`
      BEGIN;
      ${STEPS[step]}
      PRAGMA application_id = ${APPLICATION_ID};
      PRAGMA user_version = ${step + 1};
      COMMIT;
    `);
  }
}

function pragma(db: DatabaseSync, name: string): number {
  return Number(Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
}
