import { getSystemErrorMap } from 'node:util';
import { ADVICE } from '../cli/advice.ts';
import { COMMANDS, COMMON } from '../cli/catalog.ts';
import type { Command, Option } from '../cli/command.ts';
import { LONGEST_WAIT } from '../cli/options.ts';
import { PATIENCE as SIGNAL_PATIENCE } from '../cli/signals.ts';
import { MOST_LOSSES, PATIENCE, START, WITHIN } from '../client/connect.ts';
import { DOUBT, MARGIN, WAITS } from '../client/connection.ts';
import { LOOK_EVERY } from '../client/find-daemon.ts';
import { ONCE } from '../client/line.ts';
import { LEASE } from '../client/settle.ts';
import { FRAME } from '../commands/put.ts';
import { UNITS } from '../duration.ts';
import { type Code, EXIT_STATUS, EXPECTED, QUOTA } from '../errors.ts';
import { LONGEST_NAME, NAME } from '../names.ts';
import { STATES } from '../output/counts.ts';
import { NOTHING } from '../packed.ts';
import { LONGEST_SOCKET_PATH } from '../paths.ts';
import { encodeRequest } from '../protocol/encode-request.ts';
import { READING, type Request } from '../protocol/requests.ts';
import { LONGEST_KEY } from '../protocol/verbs/put.ts';
import { reasonOf } from '../reasons.ts';
import { LEAST_PRIORITY, LONGEST_DELAY, MOST_MAX_MESSAGE, MOST_PRIORITY } from '../settings.ts';
import { TEXTS } from '../texts.ts';
import { PROTOCOL, VERSION } from '../version.ts';
import { ANSWERS, FAILURES, PLACES, SOURCES, STARTER_REQUESTS } from '../work/starter.ts';

/**
 * The header of the native front (src/native): what it has in common with the program in TypeScript, so that
 * nothing of it is written twice. The tables are for one file each, which defines FRONT_CODES, FRONT_COMMANDS, ...
 * before it includes the header.
 */
export function frontTable(): string {
  return [
    '/* Made by src/build/front-table.ts. */',
    constants(),
    ...Object.entries(TEXTS).map(([name, text]) => `#define TEXT_${upper(name)} ${quoted(text)}`),
    enumeration('code', 'CODE', Object.keys(EXIT_STATUS)),
    enumeration('command_name', 'COMMAND', HOT),
    enumeration('option', 'OPTION', [
      ...new Set(
        hotCommands()
          .flatMap(optionsOf)
          .map(({ name }) => name),
      ),
    ]),
    enumeration('field', 'FIELD', ['none', ...Object.keys(FIELDS)]),
    enumeration('request_name', 'REQUEST', Object.keys(REQUESTS)),
    enumeration('starter_request', 'STARTER', [...STARTER_REQUESTS]),
    enumeration('starter_answer', 'ANSWER', [...ANSWERS]),
    enumeration('place', 'PLACE', [...PLACES]),
    enumeration('source', 'SOURCE', [...SOURCES]),
    enumeration('failed', 'FAILED', [...FAILURES]),
    table('FRONT_CODES', codes()),
    table('FRONT_COMMANDS', `${commands()}\n${running()}`),
    table('FRONT_REQUESTS', requests()),
    table('FRONT_REASONS', reasons()),
    table('FRONT_UNITS', units()),
    '',
  ].join('\n');
}

/** The commands that the front can do by itself. */
const HOT = ['put', 'get', 'done', 'fail', 'extend', 'size', 'empty', 'full', 'join'];

/** The options that it carries out. A command line with another one is Node's. */
const CARRIED_OUT = new Set([
  ...['quiet', 'no-start', 'nowait', 'timeout', 'null', 'whole'],
  ...['priority', 'delay', 'ttl', 'key', 'lease'],
]);

function hotCommands(): Command[] {
  return HOT.map((name) => COMMANDS.find((command) => command.name === name) as Command);
}

function optionsOf({ options }: Command): Option[] {
  return [...options, ...COMMON].filter(({ name }) => CARRIED_OUT.has(name));
}

function constants(): string {
  const numbers = {
    PATIENCE,
    START,
    LOOK_EVERY,
    MOST_LOSSES,
    WITHIN,
    DOUBT,
    MARGIN,
    SIGNAL_PATIENCE,
    LONGEST_WAIT,
    LONGEST_DELAY,
    LONGEST_NAME,
    LONGEST_KEY,
    LONGEST_SOCKET_PATH,
    LEAST_PRIORITY,
    MOST_PRIORITY,
    MOST_MAX_MESSAGE,
    FRAME,
  };
  const texts = {
    VERSION,
    PROTOCOL: String(PROTOCOL),
    NAME_FIRST: charactersOf((each) => NAME.test(each)),
    NAME_REST: charactersOf((each) => NAME.test(`a${each}`)),
    LEASE_FIRST: charactersOf((each) => LEASE.test(`${each}.a`)),
    LEASE_REST: charactersOf((each) => LEASE.test(`1.${each}`)),
  };
  return [
    ...Object.entries(numbers).map(([name, number]) => `#define ${name} INT64_C(${number})`),
    ...Object.entries(texts).map(([name, text]) => `#define MQ_${name} ${quoted(text)}`),
    `#define MQ_STATES ${STATES.map(quoted).join(', ')}`,
  ].join('\n');
}

function charactersOf(isFit: (character: string) => boolean): string {
  return Array.from({ length: 127 }, (_, i) => String.fromCharCode(i))
    .filter(isFit)
    .join('');
}

/** Name, exit status, whether -q keeps it quiet, what to do about it. */
function codes(): string {
  const rows = Object.entries(EXIT_STATUS).map(
    ([code, status]) =>
      `  {${quoted(code)}, ${status}, ${EXPECTED.has(code as Code)}, ${quotedOrNull(ADVICE[code as Code])}},`,
  );
  return `static const struct code_row CODES[] = {\n${rows.join('\n')}\n};`;
}

/** Name, how many operands, options, advice. */
function commands(): string {
  const rows = hotCommands().map((command) => {
    const { name, operands, advice = {}, mayStart } = command;
    const [least, most] = operands.map((count) => (count === Infinity ? 'INT_MAX' : count));
    const options = optionsOf(command).map(
      ({ name, short, value }) =>
        `{${quoted(name)}, ${short === undefined ? 0 : `'${short}'`}, ${value !== undefined}, OPTION_${upper(name)}}`,
    );
    const advices = Object.entries(advice).map(
      ([code, text]) => `{CODE_${code}, ${quoted(withPlaces(text, command))}}`,
    );
    return `  {${quoted(name)}, ${least}, ${most}, ${mayStart},\n    {${[...options, '{0}'].join(', ')}},\n    {${[...advices, '{0}'].join(', ')}}},`;
  });
  return `static const struct command COMMANDS[] = {\n${rows.join('\n')}\n};`;
}

/** Commands that run a COMMAND of the user's. */
function running(): string {
  const names = COMMANDS.filter(({ runs }: Command) => runs !== undefined).map(({ name }) => quoted(name));
  return `static const char *const RUNNING[] = {${names.join(', ')}};`;
}

/** The byte n + 1 stands for operand n, in the place of its name: see adviceOn. */
function withPlaces(advice: string, { usage }: Command): string {
  const operands: string[] = usage.match(/[A-Z]+/g) ?? [];
  return advice.replace(/[A-Z]{2,}/g, (word) =>
    operands.includes(word) ? String.fromCharCode(operands.indexOf(word) + 1) : word,
  );
}

/** Placeholders in a request for values that the front fills in. */
const FIELDS = {
  queue: 'queue',
  further: 'further',
  nowait: 'NOWAIT',
  timeout: 2_000_000_001,
  priority: 2_000_000_002,
  delay: 2_000_000_003,
  ttl: 2_000_000_004,
  key: 'key',
  client: 'client',
  index: 2_000_000_005,
  lease: 'lease',
  duration: 2_000_000_006,
  holder: 'holder',
  id: 2_000_000_007,
  seq: 2_000_000_008,
  acked: 2_000_000_009,
} as const;

const { queue, timeout, delay, client, lease, duration } = FIELDS;
const once = { client, seq: FIELDS.seq, acked: FIELDS.acked };
const greeting = { protocol: PROTOCOL, version: VERSION, replace: false };

/** Each request of the front with all that it can have. */
const REQUESTS: Record<string, Request> = {
  hello: { verb: 'HELLO', version: 3, mq: { ...greeting, holder: FIELDS.holder } },
  ping: { verb: 'HELLO', version: 3, mq: undefined },
  put: {
    verb: 'PUT',
    queue,
    messages: NOTHING,
    priority: FIELDS.priority,
    timeout,
    client: { id: client, index: FIELDS.index },
    delay,
    ttl: FIELDS.ttl,
    key: FIELDS.key,
  },
  get: {
    verb: 'GET',
    queues: [queue, FIELDS.further],
    timeout,
    count: 1,
    hold: true,
    lease: duration,
    packed: true,
  },
  taken: { verb: 'DONE', queue, ids: [{ first: FIELDS.id, last: FIELDS.id }], leases: [] },
  keep: { verb: 'EXTEND', queue, leases: [lease], duration, binding: 'free' },
  done: { verb: 'DONE', queue, ids: [], leases: [lease], once },
  fail: { verb: 'FAIL', queue, leases: [lease], delay, once },
  extend: { verb: 'EXTEND', queue, leases: [lease], duration },
  join: { verb: 'JOIN', queue, timeout },
  size: { verb: 'SIZE', queue },
  empty: { verb: 'EMPTY', queue },
  full: { verb: 'FULL', queue },
  stat: { verb: 'STAT', queue },
};

/** Whether it changes nothing, whether its answer may take long, whether it is numbered; and its words. */
function requests(): string {
  const rows = Object.values(REQUESTS).map((request) => {
    const { verb } = request;
    const isOnce = ONCE.has(verb) && 'once' in request;
    const words = groupsOf(request).map(([word, field]) => `{${quotedOrNull(word)}, FIELD_${upper(field)}}`);
    return `  {${READING.has(verb)}, ${WAITS.has(verb)}, ${isOnce},\n    {${[...words, '{0}'].join(', ')}}},`;
  });
  return `static const struct request_row REQUESTS[] = {\n${rows.join('\n')}\n};`;
}

/** The words of a request, each with the field that follows it, or none, or a field alone. */
function groupsOf(request: Request): [word: string | undefined, field: string][] {
  const groups: [string | undefined, string][] = [];
  let word: string | undefined;
  for (const each of wordsOf(request)) {
    const [field] = Object.entries(FIELDS).find(([, value]) => String(value) === each) ?? [];
    if (field === 'timeout') groups.push([FIELDS.nowait, 'nowait']);
    if (field !== undefined) groups.push([word, field]);
    else if (word !== undefined) groups.push([word, 'none']);
    word = field === undefined ? each : undefined;
  }
  if (word !== undefined) groups.push([word, 'none']);
  return groups;
}

/** @throws where a request that does not wait has no word of that name */
function wordsOf(request: Request): string[] {
  const cut = (each: Request) =>
    encodeRequest(each)
      .toString()
      .split('\r\n')
      .filter((_, i) => i % 2 === 0)
      .slice(1);
  if ('timeout' in request && !cut({ ...request, timeout: 0 }).includes(FIELDS.nowait))
    throw new Error(`${request.verb} has no ${FIELDS.nowait}`);
  return cut(request);
}

/** Errors of the system in words, as `reasonOf` has them. */
function reasons(): string {
  const rows = [...getSystemErrorMap().keys(), QUOTA]
    // Errors of the resolver are numbered far below those of the system.
    .filter((errno) => errno > -200)
    .map((errno) => `  {${-errno}, ${quoted(reasonOf(Object.assign(new Error(), { errno })))}},`);
  return `static const struct reason REASONS[] = {\n${rows.join('\n')}\n};`;
}

function units(): string {
  const rows = Object.entries(UNITS).map(([name, milliseconds]) => `  {${quoted(name)}, ${milliseconds}},`);
  return `static const struct unit UNITS[] = {\n${rows.join('\n')}\n};`;
}

function table(condition: string, text: string): string {
  return `#ifdef ${condition}\n${text}\n#endif`;
}

function enumeration(name: string, prefix: string, names: string[]): string {
  return `enum ${name} { ${[...names.map((each) => `${prefix}_${upper(each)}`), `${prefix}_TOTAL`].join(', ')} };`;
}

/** The name of a constant of C. */
function upper(name: string): string {
  return name
    .replace(/[a-z](?=[A-Z])/g, '$&_')
    .replaceAll('-', '_')
    .toUpperCase();
}

function quotedOrNull(text: string | undefined): string {
  return text === undefined ? 'NULL' : quoted(text);
}

/** A string of C. Octal digits are three at most, so what follows does not change them. */
function quoted(text: string): string {
  const escaped = [...Buffer.from(text)].map((byte) =>
    byte < 0x20 || byte > 0x7e || byte === 0x22 || byte === 0x5c
      ? `\\${byte.toString(8).padStart(3, '0')}`
      : String.fromCharCode(byte),
  );
  return `"${escaped.join('').replaceAll('?', '\\?')}"`;
}
