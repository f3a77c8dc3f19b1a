import type { Places } from '../paths.ts';

/** What a command is run with. */
export interface Invocation {
  operands: string[];
  /** By the long names of the options; absent ones are undefined. */
  options: Readonly<Record<string, string | boolean | undefined>>;
  places: Places;
  /** Whether it may start a daemon. */
  start: boolean;
  /** No notes on standard error. */
  quiet: boolean;
}

/** An exit status, or the signal that the process is to end by. */
export type Outcome = number | NodeJS.Signals;

export type Run = (invocation: Invocation) => Promise<Outcome>;

export interface Option {
  name: string;
  short?: string;
  /** What its value is called in the help; without: it takes none. */
  value?: string;
  summary: string;
}

export interface Command {
  name: string;
  summary: string;
  /** The operands, as the help shows them. */
  usage: string;
  /** How many operands there can be. */
  operands: [least: number, most: number];
  options: readonly Option[];
  /** What to type, and what it does. */
  examples: readonly [string, string][];
  /** Whether it may start the daemon when none runs. */
  mayStart: boolean;
  load: () => Promise<{ run: Run }>;
}

const NOWAIT: Option = { name: 'nowait', short: 'n', summary: 'do not wait: status 3 at once' };
const TIMEOUT: Option = {
  name: 'timeout',
  short: 't',
  value: 'DURATION',
  summary: 'wait at most so long, then status 3',
};
const NULL: Option = { name: 'null', short: '0', summary: 'messages end in NUL instead of newline' };
const JSON_OPTION: Option = { name: 'json', summary: 'one JSON object a line' };
const KIND: Option = { name: 'kind', value: 'KIND', summary: 'fifo (default), lifo or priority' };
const MAXSIZE: Option = {
  name: 'maxsize',
  value: 'N',
  summary: 'how many messages may wait; 0 (default): no limit',
};

/** Options of every command. */
export const COMMON: readonly Option[] = [
  { name: 'quiet', short: 'q', summary: 'no notes on standard error' },
  { name: 'no-start', summary: 'do not start a daemon: status 69 when none runs' },
  { name: 'help', short: 'h', summary: 'show this help' },
];

const ONE: [number, number] = [1, 1];
const NONE: [number, number] = [0, 0];

/** All commands, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  {
    name: 'put',
    summary: 'put messages into a queue',
    usage: 'QUEUE [MESSAGE...]',
    operands: [1, Infinity],
    options: [
      NOWAIT,
      TIMEOUT,
      NULL,
      { name: 'whole', short: 'w', summary: 'all of standard input is one message' },
      { name: 'priority', short: 'p', value: 'N', summary: 'in a priority queue: lowest first (default 0)' },
    ],
    examples: [
      ['mq put jobs hello', 'put one message'],
      ['find . -name "*.jpg" | mq put jobs', 'put each line of standard input'],
      ['mq put -w backup < dump.sql', 'put a whole file as one message'],
      ['mq put -t 5s jobs hello', 'wait at most 5 seconds for room'],
    ],
    mayStart: true,
    load: () => import('./put.ts'),
  },
  {
    name: 'get',
    summary: 'get messages from a queue, or from the first of several that has one',
    usage: 'QUEUE...',
    operands: [1, Infinity],
    options: [
      NOWAIT,
      TIMEOUT,
      {
        name: 'count',
        short: 'c',
        value: 'N',
        summary: 'get N messages, each printed as it comes (default 1)',
      },
      { name: 'all', short: 'a', summary: 'get what is there now, without waiting' },
      { name: 'follow', short: 'f', summary: 'go on until the queue is closed and drained' },
      NULL,
      { name: 'whole', short: 'w', summary: 'print nothing behind a message' },
      JSON_OPTION,
    ],
    examples: [
      ['mq get jobs', 'wait for a message and print it'],
      ['mq get -n jobs', 'print a message if there is one, else status 3'],
      ['mq get -f jobs | while read -r job; do ...; done', 'handle messages as they come'],
      ['mq get urgent jobs', 'from urgent if it has one, else from jobs'],
    ],
    mayStart: true,
    load: () => import('./get.ts'),
  },
  {
    name: 'peek',
    summary: 'print the next messages and leave them where they are',
    usage: 'QUEUE',
    operands: ONE,
    options: [
      { name: 'count', short: 'c', value: 'N', summary: 'print up to N messages (default 1)' },
      NULL,
      { name: 'whole', short: 'w', summary: 'print nothing behind a message' },
      JSON_OPTION,
    ],
    examples: [['mq peek -c 3 jobs', 'print the next three messages']],
    mayStart: true,
    load: () => import('./peek.ts'),
  },
  {
    name: 'size',
    summary: 'print how many messages are waiting',
    usage: 'QUEUE',
    operands: ONE,
    options: [],
    examples: [['mq size jobs', 'print the number']],
    mayStart: true,
    load: () => import('./size.ts'),
  },
  {
    name: 'empty',
    summary: 'exit 0 when no message is waiting, else 1',
    usage: 'QUEUE',
    operands: ONE,
    options: [],
    examples: [['while ! mq empty jobs; do sleep 1; done', 'watch a queue until it is empty']],
    mayStart: true,
    load: () => import('./empty.ts'),
  },
  {
    name: 'full',
    summary: 'exit 0 when there is no room for a message, else 1',
    usage: 'QUEUE',
    operands: ONE,
    options: [],
    examples: [['mq full jobs && echo "no room"', 'say so when there is no room']],
    mayStart: true,
    load: () => import('./full.ts'),
  },
  {
    name: 'create',
    summary: 'make a queue with these settings',
    usage: 'QUEUE',
    operands: ONE,
    options: [KIND, MAXSIZE],
    examples: [
      ['mq create jobs --maxsize 100', 'puts wait while 100 messages are waiting'],
      ['mq create todo --kind priority', 'the lowest priority comes out first'],
    ],
    mayStart: true,
    load: () => import('./create.ts'),
  },
  {
    name: 'set',
    summary: 'change the settings of a queue',
    usage: 'QUEUE',
    operands: ONE,
    options: [KIND, MAXSIZE],
    examples: [['mq set jobs --maxsize 1000', 'change the limit']],
    mayStart: true,
    load: () => import('./set.ts'),
  },
  {
    name: 'ls',
    summary: 'list the queues',
    usage: '',
    operands: NONE,
    options: [JSON_OPTION],
    examples: [['mq ls --json | jq .name', 'their names']],
    mayStart: true,
    load: () => import('./ls.ts'),
  },
  {
    name: 'stat',
    summary: 'show all about one queue',
    usage: 'QUEUE',
    operands: ONE,
    options: [JSON_OPTION],
    examples: [['mq stat jobs', 'show it']],
    mayStart: true,
    load: () => import('./stat.ts'),
  },
  {
    name: 'close',
    summary: 'take no more puts; gets drain what is there',
    usage: 'QUEUE',
    operands: ONE,
    options: [{ name: 'now', summary: 'drop what is waiting, too' }],
    examples: [['mq close jobs', 'the consumers end once it is drained']],
    mayStart: true,
    load: () => import('./close.ts'),
  },
  {
    name: 'open',
    summary: 'open a closed queue again',
    usage: 'QUEUE',
    operands: ONE,
    options: [],
    examples: [['mq open jobs', 'undo mq close jobs']],
    mayStart: true,
    load: () => import('./open.ts'),
  },
  {
    name: 'purge',
    summary: 'drop all messages that are waiting',
    usage: 'QUEUE',
    operands: ONE,
    options: [],
    examples: [['mq purge jobs', 'empty the queue']],
    mayStart: true,
    load: () => import('./purge.ts'),
  },
  {
    name: 'move',
    summary: 'move what is waiting to the end of another queue',
    usage: 'FROM TO',
    operands: [2, 2],
    options: [{ name: 'count', short: 'c', value: 'N', summary: 'move N messages at most' }],
    examples: [['mq move later jobs', 'put what was set aside to work']],
    mayStart: true,
    load: () => import('./move.ts'),
  },
  {
    name: 'rm',
    summary: 'remove a queue',
    usage: 'QUEUE',
    operands: ONE,
    options: [{ name: 'force', summary: 'with its messages' }],
    examples: [['mq rm jobs', 'remove it if it is empty']],
    mayStart: true,
    load: () => import('./rm.ts'),
  },
  {
    name: 'serve',
    summary: 'run the daemon in the foreground (commands start it by themselves)',
    usage: '',
    operands: NONE,
    options: [
      {
        name: 'idle-exit',
        value: 'DURATION',
        summary: 'end after so long without a connection; 0 (default): never',
      },
      { name: 'max-message', value: 'BYTES', summary: 'the longest message taken (default 67108864)' },
    ],
    examples: [['mq serve --max-message 268435456', 'take messages of up to 256 MiB']],
    mayStart: false,
    load: () => import('./serve.ts'),
  },
  {
    name: 'stop',
    summary: 'stop the daemon; its queues stay on disk',
    usage: '',
    operands: NONE,
    options: [],
    examples: [['mq stop', 'stop it']],
    mayStart: false,
    load: () => import('./stop.ts'),
  },
  {
    name: 'status',
    summary: 'show the daemon, or exit 69 when none runs',
    usage: '',
    operands: NONE,
    options: [JSON_OPTION],
    examples: [['mq status --json', 'for scripts']],
    mayStart: false,
    load: () => import('./status.ts'),
  },
  {
    name: 'completion',
    summary: 'print the completion script for a shell',
    usage: 'bash|zsh|fish',
    operands: [1, Infinity],
    options: [],
    examples: [
      ['eval "$(mq completion bash)"', 'in ~/.bashrc'],
      ['mq completion fish | source', 'in ~/.config/fish/config.fish'],
    ],
    mayStart: false,
    load: () => import('./completion.ts'),
  },
];
