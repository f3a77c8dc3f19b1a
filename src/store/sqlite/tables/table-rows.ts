import type { Settings } from '../../../settings.ts';
import type { Acted } from '../../acted.ts';

/** A row of the table `queue`. */
export interface QueueRow extends Settings {
  id: number;
  name: string;
  closed: 0 | 1 | 2;
  paused: 0 | 1;
  size: number;
  delayed: number;
  leased: number;
  put: number;
  got: number;
  done: number;
  failed: number;
  dead: number;
  expired: number;
}

/** A row of the table `batch`, without the messages. */
export interface BatchRow {
  first: number;
  count: number;
  priority: number;
  put_at: number;
  due_at: number | null;
  expires_at: number | null;
  /** The first chunk of a large message, and its size; null for other batches: see Chunks. */
  chunk: number | null;
  size: number | null;
  /** Of a dead letter: see Label. */
  origin_queue: number | null;
  origin_id: number | null;
}

/** Batches of one priority that follow each other and are ready, as a move looks at them. */
export interface Page {
  priority: number;
  rows: number;
  /** The number of these that have not expired, with no message gone and nothing particular to any. */
  whole: number;
  /** The number of messages. */
  count: number;
  bytes: number;
  /** The least id of a message, and the greatest. */
  first: number;
  last: number;
}

/** Columns of the table `batch` that only a batch of one message may have. */
export interface Label {
  key: string | null;
  key_queue: number | null;
  origin_queue: number | null;
  origin_id: number | null;
}

/** A row of the table `message`. */
export interface MessageRow {
  id: number;
  queue: number;
  failures: number;
  lease: number | null;
  until: number | null;
}

/** The answer so far to a step that takes effect once, and the position to go on from; undefined: it has happened. */
export interface Answered {
  answer: number;
  position: number | undefined;
  /** Of an act on single messages: see Acted. */
  rest?: Pick<Acted, 'missing' | 'closed'> | undefined;
}

/** A place in the order in which batches expire. */
export interface Expiry {
  time: number;
  first: number;
}

/** A large message in chunks: the id of its first chunk, and its bytes as it is packed. */
export interface Stored {
  chunk: number;
  size: number;
}

/** A place in a queue's order. */
export interface OrderKey {
  priority: number;
  first: number;
}
