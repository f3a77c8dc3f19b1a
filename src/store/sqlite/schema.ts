/**
 * The layout of the store file, as the numbered steps that lead to it. SQLite's user_version is the number of steps
 * that a file has gone through. A step that was ever on main stays as it is; a change of the layout is a further step,
 * and a file of the layout before it goes to test/data.
 *
 * A batch is a row of messages of one put, packed as in `packed.ts`, with the ids `first`, `first`+1, ... It is never
 * rewritten. Messages of it that are gone stand in `gone`, as ranges of ids that do not touch each other; when all are
 * gone, the batch and its ranges are deleted. Other particulars of single messages stand in `message`: a lease, a
 * delay, or failures. A batch with a key has one message, and so has a dead letter.
 *
 * A batch stands in `ready` as long as any of its messages waits, or is held (holds are not stored). So messages on
 * lease or delayed are in nobody's way.
 *
 * Times are in ms since 1970.
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
  `
  ALTER TABLE queue ADD COLUMN max_attempts INTEGER NOT NULL DEFAULT 5;     -- 0: no limit
  ALTER TABLE queue ADD COLUMN retry_delay  INTEGER NOT NULL DEFAULT 1000;  -- ms
  ALTER TABLE queue ADD COLUMN dead_letter  TEXT    NOT NULL DEFAULT '';    -- '': the default
  ALTER TABLE queue ADD COLUMN delayed      INTEGER NOT NULL DEFAULT 0;     -- of size
  ALTER TABLE queue ADD COLUMN leased       INTEGER NOT NULL DEFAULT 0;     -- of size
  ALTER TABLE queue ADD COLUMN done         INTEGER NOT NULL DEFAULT 0;     -- from here on since it was made
  ALTER TABLE queue ADD COLUMN failed       INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE queue ADD COLUMN dead         INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE queue ADD COLUMN expired      INTEGER NOT NULL DEFAULT 0;
  UPDATE queue SET done = got;

  ALTER TABLE batch ADD COLUMN due_at     INTEGER;  -- none of its messages waits before; NULL: they may
  ALTER TABLE batch ADD COLUMN expires_at INTEGER;  -- what waits of it then is dropped; NULL: never
  ALTER TABLE batch ADD COLUMN key        TEXT;     -- of its one message: see PutOptions.key
  CREATE INDEX batch_due ON batch (due_at) WHERE due_at IS NOT NULL;
  CREATE INDEX batch_expiry ON batch (expires_at) WHERE expires_at IS NOT NULL;
  CREATE UNIQUE INDEX batch_key ON batch (queue, key) WHERE key IS NOT NULL;

  CREATE TABLE message (
    id       INTEGER PRIMARY KEY,
    queue    INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    lease    INTEGER,                    -- what its token has behind the id; NULL: it is not on lease
    until    INTEGER                     -- when its lease runs out, or it is no longer delayed; NULL: neither
  ) STRICT;
  CREATE INDEX message_until ON message (until) WHERE until IS NOT NULL;
  CREATE INDEX message_in_queue ON message (queue);
  `,
  `
  ALTER TABLE store ADD COLUMN clock INTEGER NOT NULL DEFAULT 0;  -- the latest time that was seen on the store's clock

  CREATE TABLE answered (
    client TEXT    NOT NULL,
    seq    INTEGER NOT NULL,             -- which of the client's steps that are to happen once
    answer INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (client, seq)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE origin_queue (            -- names of queues that gave up messages, be they there or removed
    id   INTEGER PRIMARY KEY,
    name TEXT    NOT NULL
  ) STRICT;
  CREATE INDEX origin_queue_name ON origin_queue (name);

  ALTER TABLE batch ADD COLUMN origin_queue INTEGER;  -- of a dead letter: origin_queue.id of the queue that gave it up
  ALTER TABLE batch ADD COLUMN origin_id    INTEGER;  -- of a dead letter: the id that it had there
  ALTER TABLE batch ADD COLUMN key_queue    INTEGER;  -- whose key it has: queue.id, be that there or removed
  CREATE INDEX batch_origin ON batch (origin_queue, origin_id) WHERE origin_queue IS NOT NULL;
  DROP INDEX batch_key;
  UPDATE batch SET key_queue = queue WHERE key IS NOT NULL;
  CREATE UNIQUE INDEX batch_key ON batch (key_queue, key) WHERE key IS NOT NULL;
  `,
  `
  CREATE TABLE ready (
    queue    INTEGER NOT NULL,           -- all three as in batch
    priority INTEGER NOT NULL,
    first    INTEGER NOT NULL,
    PRIMARY KEY (queue, priority, first)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO ready SELECT queue, priority, first FROM batch WHERE due_at IS NULL AND count >
    (SELECT count(*) FROM message WHERE id >= first AND id < first + count AND until IS NOT NULL) +
    (SELECT coalesce(sum(gone.last - gone.first + 1), 0) FROM gone
     WHERE gone.first >= batch.first AND gone.first < batch.first + count);
  CREATE INDEX ready_by_age ON ready (queue, first) WHERE priority <> 0;
  DROP INDEX batch_in_order;
  CREATE INDEX batch_delayed ON batch (queue) WHERE due_at IS NOT NULL;
  CREATE INDEX message_delayed ON message (queue) WHERE until IS NOT NULL AND lease IS NULL;

  ALTER TABLE answered ADD COLUMN position INTEGER;  -- where a step is to go on that is done in parts; NULL: it has happened

  CREATE TABLE removed (                 -- queues that have gone, and whose batches are still to be deleted
    queue INTEGER PRIMARY KEY
  ) STRICT;
  `,
  `
  ALTER TABLE batch ADD COLUMN checksum INTEGER;  -- see checksumOf; NULL: it was put before there was one
  `,
  `
  CREATE TABLE chunk (                   -- of a large message, as it is packed; they follow each other
    id       INTEGER PRIMARY KEY,
    bytes    BLOB    NOT NULL,
    checksum INTEGER NOT NULL            -- CRC-32, begun with which of the message's chunks it is, from 0 on
  ) STRICT;
  ALTER TABLE batch ADD COLUMN chunk INTEGER;  -- of one large message: its first chunk; NULL: see messages
  ALTER TABLE batch ADD COLUMN size  INTEGER;  -- of one large message: in bytes

  CREATE TABLE unused (                  -- chunks that no batch has, not yet or not any more: they are to be deleted
    chunk INTEGER PRIMARY KEY,           -- both as in batch
    size  INTEGER NOT NULL
  ) STRICT;
  CREATE TRIGGER batch_chunks AFTER DELETE ON batch WHEN old.chunk IS NOT NULL BEGIN
    INSERT INTO unused (chunk, size) VALUES (old.chunk, old.size);
  END;
  `,
  `
  ALTER TABLE queue ADD COLUMN paused     INTEGER NOT NULL DEFAULT 0;  -- 1: nothing can be taken
  ALTER TABLE queue ADD COLUMN max_leased INTEGER NOT NULL DEFAULT 0;  -- 0: no limit
  CREATE INDEX queue_dead_letter ON queue (dead_letter) WHERE dead_letter <> '';
  CREATE TABLE client_ids (              -- ids of messages of clients that asked for them: see PutOptions.ids
    client   TEXT    NOT NULL,
    position INTEGER NOT NULL,           -- of the first among the client's messages
    first    INTEGER NOT NULL,
    last     INTEGER NOT NULL,
    at       INTEGER NOT NULL,           -- ms since 1970
    PRIMARY KEY (client, position)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX batch_dead ON batch (queue) WHERE origin_queue IS NOT NULL;
  `,
  `
  ALTER TABLE answered ADD COLUMN rest TEXT;  -- JSON of what the answer to an act says besides: see Answered.rest
  `,
];
