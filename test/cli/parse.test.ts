import { describe, expect, test } from 'vitest';
import { COMMANDS, COMMON } from '../../src/cli/catalog.ts';
import type { Command, Option, Parsed } from '../../src/cli/command.ts';
import { parse } from '../../src/cli/parse.ts';
import { MqError } from '../../src/errors.ts';

/** Of each command so many lines are tried; MQ_FUZZ_LINES makes it more. */
const LINES = Number(process.env['MQ_FUZZ_LINES'] ?? 300);

/** The same seed gives the same lines. */
const SEED = Number(process.env['MQ_FUZZ_SEED'] ?? Date.now() % 2 ** 32);

/** All that is said of a line that makes no sense. */
const MESSAGES =
  /^(unknown option -|unexpected operand '|the [A-Z]+ of -|--?[a-z-]+ takes no value$|[A-Z]+ is missing$|COMMAND stands behind --$|--id is called)/;

const command = (name: string) => COMMANDS.find((each) => each.name === name) as Command;
const parsed = (line: string) => {
  const [name, ...args] = line.split(' ');
  return parse(command(name as string), args);
};
const usage = (message: string) => expect.objectContaining({ code: 'USAGE', message });

describe('a command line', () => {
  test.each([
    'put q m -p -5 -t 5s -n',
    'put q m -p-5 -t5s -n',
    'put q m --priority -5 --timeout 5s --nowait',
    'put q m --priority=-5 --timeout=5s --nowait',
    'put -np -5 -t5s q m',
    'put -nt 5s -p-5 q m',
    'put -nt5s q --priority=-5 m',
    'put --priority=-5 -nt5s -- q m',
    'put -p 7 -t 1 -nn q m -t 5s -p -5',
  ])('means the same however its options are spelled and ordered: %s', (line) => {
    expect(parsed(line)).toEqual({
      operands: ['q', 'm'],
      command: [],
      options: { priority: '-5', timeout: '5s', nowait: true },
      renamed: [],
    });
  });

  test('the word behind an option that takes a value is its value, whatever it looks like', () => {
    for (const value of ['-n', '--', '-', '--quiet', '--key=x', ''])
      expect(parse(command('put'), ['q', 'm', '--key', value, '-q']).options).toEqual({
        key: value,
        quiet: true,
      });
  });

  test('what stands behind -- is operands, or the COMMAND', () => {
    expect(parsed('put -q q -- -n -- --bogus')).toMatchObject({
      operands: ['q', '-n', '--', '--bogus'],
      options: { quiet: true },
    });
    expect(parsed('work a b --drain -- grep -q -- {}')).toMatchObject({
      operands: ['a', 'b'],
      command: ['grep', '-q', '--', '{}'],
      options: { drain: true },
    });
    expect(parsed('pipe p -- cat --send')).toMatchObject({ command: ['cat', '--send'], options: {} });
    expect(parsed('pipe p')).toMatchObject({ command: [] });
    expect(() => parsed('pipe p q -- cat')).toThrow(usage("unexpected operand 'q'"));
  });

  test('a negative number is an operand, and no letters', () => {
    expect(parsed('put q -5 -0.5 -.5 -10 -05 -n')).toMatchObject({
      operands: ['q', '-5', '-0.5', '-.5', '-10', '-05'],
      options: { nowait: true },
    });
    expect(parsed('put q -0')).toMatchObject({ operands: ['q'], options: { null: true } });
    for (const word of ['-5x', '-1e3', '-5.', '-n5', '--5', '-0x1'])
      expect(() => parsed(`put q ${word}`)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  test('- is an operand, and an attached value may be empty or hold =', () => {
    expect(parsed('put q -')).toMatchObject({ operands: ['q', '-'] });
    expect(parsed('put q m --key=')).toMatchObject({ options: { key: '' } });
    expect(parsed('put q m --key=a=b')).toMatchObject({ options: { key: 'a=b' } });
    expect(parsed('put q m -p=5')).toMatchObject({ options: { priority: '=5' } });
  });

  test('an option is understood by its former name too', () => {
    expect(parsed('put q m --id k')).toMatchObject({ options: { key: 'k' }, renamed: [{ name: 'key' }] });
    expect(parsed('put q m --id=k --id=l')).toMatchObject({ options: { key: 'l' } });
    for (const line of ['put q m --id k --key k', 'put q m --key k --id k'])
      expect(() => parsed(line)).toThrow(usage('--id is called --key now: both were given'));
  });

  test('--help needs no operands, but no unknown option either', () => {
    expect(parsed('move --help').options['help']).toBe(true);
    expect(parsed('work q true -h').options['help']).toBe(true);
    expect(() => parsed('move --help --bogus')).toThrow(usage('unknown option --bogus'));
  });
});

describe(`random lines (MQ_FUZZ_SEED=${SEED})`, () => {
  const random = generator(SEED);
  const below = (n: number) => Math.floor(random() * n);
  const pick = <T>(from: readonly T[]): T => from[below(from.length)] as T;
  const some = <T>(from: readonly T[]): T[] => from.filter(() => below(3) === 0);
  const shuffled = <T>(from: readonly T[]): T[] =>
    from
      .map((each) => [random(), each] as const)
      .sort(([a], [b]) => a - b)
      .map(([, each]) => each);

  const PLAIN = ['q', 'a b', '', '-', '=', 'n', '{}', 'é', '\u{1f600}', '\n', '5s', 'toString', 'x=-y'];
  const DASHED = ['--', '-n', '--quiet', '--key=x', '-5', '---', '-=', '--=', '-\u{1f600}', '-\n', '-nqz'];
  const WORDS = [
    ...PLAIN,
    ...DASHED,
    '-_',
    '--_',
    '-_-',
    '--$0=x',
    '--__proto__',
    '--undefined',
    '--constructor=1',
    '-nn',
  ];

  test.each(COMMANDS.map((command) => [command.name, command] as const))(
    '%s: every spelling of the same means the same',
    (_, command) => {
      for (let i = 0; i < LINES; i++) {
        const wanted = randomParsed(command);
        for (let j = 0; j < 4; j++) {
          const args = spelled(command, wanted);
          expect(outcomeOf(command, args), JSON.stringify(args)).toEqual(wanted);
        }
      }
    },
  );

  test.each(COMMANDS.map((command) => [command.name, command] as const))(
    '%s: garbage is wrong usage, or means one thing',
    (_, command) => {
      const known = optionsOf(command);
      const names = known.flatMap(({ name, short }) => [`--${name}`, `--${name}=`, `-${short ?? name}`]);
      for (let i = 0; i < LINES; i++) {
        const args = Array.from({ length: below(8) }, () => garbage(names));
        const outcome = outcomeOf(command, args);
        if (typeof outcome === 'string') {
          expect(outcome, JSON.stringify(args)).toMatch(MESSAGES);
          continue;
        }
        for (const [name, value] of Object.entries(outcome.options))
          expect(
            known.some((each) => each.name === name && (each.value === undefined) === (value === true)),
          ).toBe(true);
        if (outcome.options['help']) continue;
        for (let j = 0; j < 2; j++)
          expect(outcomeOf(command, spelled(command, outcome)), JSON.stringify(args)).toEqual(outcome);
      }
    },
  );

  /** Meanings that a line could have. */
  function randomParsed(command: Command): Parsed {
    const [least, most] = command.operands;
    const count = least + below(Math.min(most - least, 4) + 1);
    const mayBeDashed = command.runs === undefined && below(3) === 0;
    return {
      operands: Array.from({ length: count }, () => pick(mayBeDashed ? WORDS : PLAIN)),
      command:
        command.runs === 'always' || (command.runs && below(2))
          ? Array.from({ length: 1 + below(4) }, () => pick(WORDS))
          : [],
      options: Object.fromEntries(
        some(optionsOf(command))
          .filter(({ name }) => name !== 'help')
          .map(({ name, value }) => [name, value === undefined ? true : pick(WORDS)]),
      ),
      renamed: [],
    };
  }

  /** A line that means this. */
  function spelled(command: Command, { operands, command: other, options }: Parsed): string[] {
    const given = shuffled(optionsOf(command).filter(({ name }) => options[name] !== undefined));
    // Of one that is given twice the last counts, and a flag may be given twice.
    const words = given
      .flatMap((option) => (below(4) === 0 ? [{ option, value: pick(WORDS) }] : []))
      .concat(given.map((option) => ({ option, value: String(options[option.name]) })))
      .map(({ option, value }) => spelledOption(option, value));
    const clustered: string[][] = [];
    for (const next of words) {
      const last = clustered.at(-1);
      const canJoin =
        last?.length === 1 && isFlags(command, last[0] as string) && /^-[^-]/.test(next[0] as string);
      if (canJoin && below(2)) last.splice(0, 1, `${last[0]}${next[0]?.slice(1)}`, ...next.slice(1));
      else clustered.push(next);
    }
    const dashed = operands.findIndex((each) => each !== '-' && each.startsWith('-'));
    const free = dashed === -1 ? below(operands.length + 1) : below(dashed + 1);
    const isFree = command.runs !== undefined ? operands.length : free;
    const before = merged(
      clustered,
      operands.slice(0, isFree).map((each) => [each]),
    );
    const behind = [...operands.slice(isFree), ...other];
    const needsEnd = command.runs === undefined ? dashed !== -1 || behind.length > 0 : other.length > 0;
    if (needsEnd) return [...before, '--', ...behind];
    return [...before, ...behind];
  }

  function spelledOption({ name, short, value: takes }: Option, value: string): string[] {
    if (takes === undefined) return [short !== undefined && below(2) ? `-${short}` : `--${name}`];
    const ways = [[`--${name}`, value], [`--${name}=${value}`]];
    if (short !== undefined) ways.push([`-${short}`, value]);
    if (short !== undefined && value !== '') ways.push([`-${short}${value}`]);
    return pick(ways);
  }

  /** Whether the word is letters of options that take no value. */
  function isFlags(command: Command, word: string): boolean {
    const flags = optionsOf(command).filter(({ value }) => value === undefined);
    return (
      /^-[^-]/.test(word) && [...word.slice(1)].every((letter) => flags.some(({ short }) => short === letter))
    );
  }

  /** Both, each in its order. */
  function merged(some: string[][], others: string[][]): string[] {
    const [left, right] = [[...some], [...others]];
    const all: string[] = [];
    while (left.length + right.length > 0)
      all.push(...((below(left.length + right.length) < left.length ? left : right).shift() as string[]));
    return all;
  }

  function garbage(names: string[]): string {
    const word = pick([...names, ...WORDS]);
    if (below(3)) return word;
    const at = below(word.length + 1);
    return (
      word.slice(0, at) +
      pick(['-', '=', '0', '\0', '$', '_', '\ud800', ...WORDS]) +
      word.slice(at + below(2))
    );
  }
});

function optionsOf(command: Command): Option[] {
  return [...command.options, ...COMMON];
}

/** The meaning of a line, or the text of its error. */
function outcomeOf(command: Command, args: string[]): Parsed | string {
  try {
    return { ...parse(command, args), renamed: [] };
  } catch (error) {
    if (error instanceof MqError && error.code === 'USAGE') return error.message;
    throw error;
  }
}

/** Random numbers from 0 to 1 (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}
