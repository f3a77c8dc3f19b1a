import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { COMMANDS, COMMON } from '../src/cli/catalog.ts';
import type { Option } from '../src/cli/command.ts';
import { help } from '../src/cli/help.ts';
import { type Code, EXIT_STATUS } from '../src/errors.ts';
import type { Verb } from '../src/protocol/requests.ts';
import { ROWS } from '../src/protocol/verbs/rows.ts';

const manual = readFileSync('man/mq.1', 'utf8');
const protocol = readFileSync('man/mq-protocol.7', 'utf8');
const readme = readFileSync('README.md', 'utf8');

/** These arise in the client, or before the daemon listens, and are never sent. */
const NEVER_SENT = new Set<string>([
  'NO',
  'EMPTY',
  'UNFINISHED',
  'ALONE',
  'UNREACHABLE',
  'NODAEMON',
  'LOST',
  'OUTPUT',
  'READERGONE',
  'STOREGONE',
  'NOSTART',
  'NOTALLOWED',
  'NOTEXECUTABLE',
  'NOTFOUND',
] satisfies Code[]);

/** Statuses that no error has: all is done; `work` has given up on a message. */
const WITHOUT_ERROR = [0, 123];

const VERBS = Object.keys(ROWS) as Verb[];

describe('mq(1)', () => {
  test.each(COMMANDS.map((command) => [command.name, command] as const))(
    'describes %s',
    (name, { options }) => {
      expect(itemsOf(section(manual, name))).toEqual(options.map(item).sort());
    },
  );

  test('has each command in the synopsis', () => {
    const synopsis = manual.slice(manual.indexOf('.Sh SYNOPSIS'), manual.indexOf('.Sh DESCRIPTION'));
    const named = [...synopsis.matchAll(/^\.Cm (.*)$/gm)].flatMap(([, names]) =>
      (names as string).split(' | '),
    );
    for (const { name } of COMMANDS) expect(named).toContain(name);
  });

  test('describes the options that all commands have', () => {
    expect(itemsOf(section(manual, 'Options of every command'))).toEqual(
      ['.It Fl -', ...COMMON.map(item)].sort(),
    );
  });

  test('lists the exit statuses', () => {
    const part = manual.slice(manual.indexOf('.Sh EXIT STATUS'));
    const listed = [...part.matchAll(/^\.It (\d+)$/gm)].map(([, status]) => Number(status));
    expect(listed).toEqual(statuses());
  });
});

describe('mq-protocol(7)', () => {
  test.each(VERBS)('describes %s and its options, and no others', (verb) => {
    const names = ROWS[verb].options?.flatMap((option) => option.names) ?? [];
    // SET refers to CREATE for its options.
    const section = sectionOf(verb === 'SET' ? 'CREATE' : verb);
    const words = section.split(/[^A-Z_]+/);
    expect(words).toEqual(expect.arrayContaining([...names]));
    const head = (section.split('\n')[0] as string).split(' ');
    const inHead = head.filter((word) => /^[A-Z_]{2,}$/.test(word) && !VERBS.includes(word as Verb));
    const listed = [...section.matchAll(/^\.It Cm (\w+)/gm)].map(([, word]) => word);
    expect(names).toEqual(expect.arrayContaining([...inHead, ...listed]));
  });

  test('lists the error codes that can be sent', () => {
    const table = protocol.slice(protocol.indexOf('.Sh ERROR CODES'));
    const listed = [...table.matchAll(/^\.It ([A-Z]+) Ta (?:goes on|ends) Ta /gm)].map(([, code]) => code);
    const sent = Object.keys(EXIT_STATUS).filter((code) => !NEVER_SENT.has(code));
    expect(listed.sort()).toEqual(sent.sort());
  });
});

describe.skipIf(spawnSync('mandoc', ['-T', 'lint', 'man/mq.1']).error !== undefined)('mandoc', () => {
  test.each(['man/mq.1', 'man/mq-protocol.7'])('has nothing to say about %s', (page) => {
    const { stdout } = spawnSync('mandoc', ['-T', 'lint', page], { encoding: 'utf8' });
    // Which other pages are installed is not known.
    expect(
      stdout
        .split('\n')
        .filter((line) => !line.includes('referenced manual not found'))
        .join('\n'),
    ).toBe('');
  });

  test.each(['man/mq.1', 'man/mq-protocol.7'])('ends each quotation of %s before the next', (page) => {
    const { stdout } = spawnSync('mandoc', ['-T', 'utf8', page], { encoding: 'utf8' });
    const plain = stdout.replaceAll(/.\x08/g, '');
    expect(plain).toMatch(/‘[^’]*’/);
    expect(plain.match(/’’|‘[^’]*‘/g)).toBeNull();
  });
});

describe('README.md', () => {
  test('has a row for each exit status', () => {
    const rows = [...readme.matchAll(/^\| (\d+) \| /gm)].map(([, status]) => Number(status));
    expect(rows).toEqual(statuses());
  });
});

describe.each([
  ['README.md', readme],
  ['mq(1)', examplesOf(manual)],
  ['mq-protocol(7)', examplesOf(protocol)],
  ['mq --help', COMMANDS.flatMap(({ examples }) => examples.map(([line]) => `${line}\n`)).join('')],
])('%s', (_, text) => {
  test('uses commands and options that there are', () => {
    for (const [, name, line] of text.matchAll(/\bmq ([a-z]+)((?: [^|;&$#`)\n]*)?)/g)) {
      const command = COMMANDS.find((each) => each.name === name);
      if (command === undefined) continue;
      const known = [...command.options, ...COMMON].flatMap((option) => [
        `--${option.name}`,
        `-${option.short}`,
      ]);
      // Words behind -- are messages, or the command line of another program.
      const [own] = (line as string).split(/ --(?= |$)/) as [string];
      for (const [word] of own.matchAll(/(?<=\s)-(-[a-z-]+|[a-z][a-z0-9]*|0[a-z]*)/g)) {
        const flags = word.startsWith('--') ? [word] : [...word.slice(1)].map((letter) => `-${letter}`);
        for (const flag of flags) expect(known, `mq ${name}${line}`).toContain(flag);
      }
    }
  });
});

test.each(COMMANDS.map((command) => [command.name, command] as const))(
  'mq %s --help has each example in one line',
  async (_, command) => {
    const text = await help(command);
    for (const [line] of command.examples) expect(text).toContain(`\n  ${line}  `);
  },
);

function examplesOf(page: string): string {
  const start = page.indexOf('.Sh EXAMPLES');
  return page.slice(start, page.indexOf('.Sh SEE ALSO', start));
}

function section(page: string, title: string): string {
  const start = page.indexOf(`\n.Ss ${title}\n`);
  expect(start, `.Ss ${title}`).not.toBe(-1);
  const rest = page.slice(start + 1);
  return rest.slice(0, /\n\.S[sh] /.exec(rest)?.index);
}

function itemsOf(text: string): string[] {
  return (text.match(/^\.It Fl .*$/gm) ?? []).sort();
}

function item({ name, short, value }: Option): string {
  return `.It ${short === undefined ? '' : `Fl ${short} , `}Fl -${name}${value === undefined ? '' : ` Ar ${value}`}`;
}

/** The text on a verb; its head begins with the verb, or is a list of several. */
function sectionOf(verb: Verb): string {
  const sections = protocol.split(/^\.S[hs] /m);
  const found = sections.find((section) => {
    const [head] = section.split('\n') as [string];
    return head.split(' ')[0] === verb || head.split(' , ').includes(verb);
  });
  expect(found, `no section has the head ${verb}`).toBeDefined();
  return found as string;
}

/** The statuses there are, each once. */
function statuses(): number[] {
  return [...new Set([...WITHOUT_ERROR, ...Object.values(EXIT_STATUS)])].sort((a, b) => a - b);
}
