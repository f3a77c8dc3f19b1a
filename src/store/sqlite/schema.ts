/**
 * The store file's layout, as the numbered steps that lead to it. SQLite's user_version says how
 * many of them a file has gone through. A step that was ever on main stays as it is; a change of
 * the layout is a further step, and a file of the layout before it goes to test/data.
 *
 * A batch is a row of messages, packed as in `packed.ts`, that came in one put: its messages have
 * the ids `first`, `first`+1, ... A batch is never rewritten. Of its messages, those that are gone
 * stand in `gone`, as ranges of ids that do not touch each other; when all are, the batch and its
 * ranges are deleted.
 */
export const STEPS: readonly string[] = [
  `
  CREATE TABLE store (
    next_id INTEGER NOT NULL             -- ids from here on were never used
  ) STRICT;
  INSERT INTO store VALUES (1);

  CREATE TABLE queue (
    id      INTEGER PRIMARY KEY,
    name    TEXT    NOT NULL UNIQUE,
    kind    TEXT    NOT NULL,            -- fifo, lifo, priority
    maxsize INTEGER NOT NULL,            -- 0: no limit
    closed  INTEGER NOT NULL,            -- 0: open, 1: closed, 2: closed, and what comes back is dropped
    size    INTEGER NOT NULL,            -- messages in its batches that are not gone
    put     INTEGER NOT NULL,            -- since it was made
    got     INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE batch (
    first    INTEGER PRIMARY KEY,
    count    INTEGER NOT NULL,
    queue    INTEGER NOT NULL,           -- queue.id
    priority INTEGER NOT NULL,
    put_at   INTEGER NOT NULL,           -- ms since 1970
    messages BLOB    NOT NULL
  ) STRICT;
  CREATE INDEX batch_in_order ON batch (queue, priority, first);

  CREATE TABLE gone (
    first INTEGER PRIMARY KEY,
    last  INTEGER NOT NULL,
    queue INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE client (
    id     TEXT    PRIMARY KEY,
    stored INTEGER NOT NULL,             -- how many of its messages are stored: the first so many
    at     INTEGER NOT NULL              -- ms since 1970
  ) STRICT, WITHOUT ROWID;
  `,
];
