import type { Framing } from './message.ts';

/** One queue of the campaign: the messages that go in, and the commands that take them out. */
export interface QueueSpec {
  name: string;
  framing: Framing | 'text';
  /** Options of `mq create`; undefined: the queue comes into being with its first message. */
  create?: string[];
  /** Bytes of the longest payload of most messages; some are up to a hundred times as long. */
  size: number;
  /** How messages are put: as streams and operands; whole; with a delay; with a key; by nobody but mq itself. */
  fed: 'stream' | 'whole' | 'delay' | 'key' | 'no';
  hasPriorities?: boolean;
  /** Messages may expire. */
  isMortal?: boolean;
  /** Readers go away, and with them what is in their pipes. */
  isLossy?: boolean;
  /** How messages are taken: `mq get`, `mq get --lease`, `mq work`. */
  taken: 'get' | 'lease' | 'work';
  /** In ms. Leases of `Infinity` (ten minutes) do not run out in a campaign, whatever the machine does. */
  lease?: number;
  /** For work: the queue for outputs of its commands, and a queue that is worked on together with this one now and then. */
  into?: string;
  also?: string;
  /** The queue to which messages are moved from here now and then. */
  moves?: string;
}

/** Lease of `mq get --lease` and `mq work` where it is not to run out. */
export const LONG_LEASE = '10m';

const RETRIES = ['--retry-delay', '50ms'];

const OWN: QueueSpec[] = [
  { name: 'lines', framing: 'lines', size: 60, fed: 'stream', taken: 'get' },
  { name: 'nulls', framing: 'null', size: 300, fed: 'stream', taken: 'get', create: ['--maxsize', '40'] },
  { name: 'blobs', framing: 'whole', size: 12_000, fed: 'whole', taken: 'get', create: ['--kind', 'lifo'] },
  {
    name: 'ranks',
    framing: 'lines',
    size: 60,
    fed: 'stream',
    taken: 'get',
    create: ['--kind', 'priority'],
    hasPriorities: true,
  },
  { name: 'later', framing: 'lines', size: 60, fed: 'delay', taken: 'get' },
  { name: 'mortal', framing: 'lines', size: 60, fed: 'delay', taken: 'get', isMortal: true },
  { name: 'lossy', framing: 'lines', size: 30, fed: 'stream', taken: 'get', isLossy: true },
  { name: 'from', framing: 'lines', size: 60, fed: 'stream', taken: 'get', moves: 'to' },
  { name: 'to', framing: 'lines', size: 60, fed: 'no', taken: 'get', create: ['--maxsize', '100'] },
  {
    name: 'leases',
    framing: 'lines',
    size: 60,
    fed: 'stream',
    taken: 'lease',
    lease: Number.POSITIVE_INFINITY,
    create: ['--max-attempts', '3', ...RETRIES],
  },
  {
    name: 'loans',
    framing: 'whole',
    size: 60,
    fed: 'whole',
    taken: 'lease',
    lease: 1000,
    create: ['--max-attempts', '2', ...RETRIES],
  },
  {
    name: 'jobs',
    framing: 'text',
    size: 60,
    fed: 'stream',
    taken: 'work',
    lease: Number.POSITIVE_INFINITY,
    also: 'leases',
    create: ['--max-attempts', '2', ...RETRIES],
  },
  {
    name: 'tasks',
    framing: 'whole',
    size: 600,
    fed: 'whole',
    taken: 'work',
    lease: 1000,
    create: ['--max-attempts', '3', ...RETRIES],
  },
  {
    name: 'pages',
    framing: 'lines',
    size: 60,
    fed: 'stream',
    taken: 'work',
    lease: Number.POSITIVE_INFINITY,
    into: 'links',
    create: ['--max-attempts', '0', ...RETRIES],
  },
  {
    name: 'reels',
    framing: 'whole',
    size: 3000,
    fed: 'whole',
    taken: 'work',
    lease: Number.POSITIVE_INFINITY,
    into: 'prints',
    create: ['--max-attempts', '0', ...RETRIES],
  },
  { name: 'links', framing: 'lines', size: 60, fed: 'no', taken: 'get', create: ['--maxsize', '20'] },
  { name: 'prints', framing: 'whole', size: 60, fed: 'no', taken: 'get' },
  { name: 'keys', framing: 'text', size: 20, fed: 'key', taken: 'get' },
];

/** The dead-letter queues; their messages are moved back to the queues that they came from. */
const DEAD: QueueSpec[] = OWN.filter(({ create }) => create?.includes('--max-attempts')).map(
  ({ name, framing, size }) => ({
    name: `${name}.dead`,
    framing,
    size,
    fed: 'no',
    taken: 'get',
    moves: name,
  }),
);

export const QUEUES: readonly QueueSpec[] = [...OWN, ...DEAD];

export function specOf(name: string): QueueSpec {
  const spec = QUEUES.find((each) => each.name === name);
  if (spec === undefined) throw new Error(`no queue ${name} in this campaign`);
  return spec;
}

/** Whether messages are moved into the queue, or out of it by anything but failures. */
export function isMoved({ name, moves }: QueueSpec): boolean {
  return moves !== undefined || QUEUES.some((each) => each.moves === name);
}

/** The options that cut and join messages of this framing. */
export function framingOptions({ framing }: QueueSpec): string[] {
  if (framing === 'null') return ['-0'];
  return framing === 'whole' ? ['-w'] : [];
}
