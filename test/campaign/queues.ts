import type { Framing } from './message.ts';

/** One queue of the campaign: what goes in, and who takes it out. */
export interface QueueSpec {
  name: string;
  framing: Framing | 'text';
  /** Of `mq create`; undefined: it comes into being with the first message. */
  create?: string[];
  /** The payload of most messages is no longer; some are up to a hundred times as long. */
  size: number;
  /** Who puts: streams and operands; whole messages; with a delay; with a key; nobody but mq itself. */
  fed: 'stream' | 'whole' | 'delay' | 'key' | 'no';
  hasPriorities?: boolean;
  /** Messages may expire. */
  isMortal?: boolean;
  /** Readers go away, and with them what is in their pipes. */
  isLossy?: boolean;
  /** Who takes: `mq get`, `mq get --lease`, `mq work`. */
  taken: 'get' | 'lease' | 'work';
  /** In ms. Leases of `Infinity` (ten minutes) do not run out in a campaign, whatever the machine does. */
  lease?: number;
  /** For work: where its commands' outputs go, and a queue that is worked on together with this one now and then. */
  into?: string;
  also?: string;
  /** Where messages are moved from here now and then. */
  moves?: string;
}

/** What `mq get --lease` and `mq work` are told where a lease is not to run out. */
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

/** Those for what was given up on; it goes back to where it came from. */
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

/** Whether messages are moved into it, or out of it by anything but failures. */
export function isMoved({ name, moves }: QueueSpec): boolean {
  return moves !== undefined || QUEUES.some((each) => each.moves === name);
}

/** The options that cut and join messages of this framing. */
export function framingOptions({ framing }: QueueSpec): string[] {
  if (framing === 'null') return ['-0'];
  return framing === 'whole' ? ['-w'] : [];
}
