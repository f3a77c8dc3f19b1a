import { MqError } from '../errors.ts';
import { abridged } from '../names.ts';
import { COMMON } from './catalog.ts';
import { type Command, type Option, operandsOf, type Parsed, wrongUsage } from './command.ts';

/**
 * The one parser of command lines, by the rules of getopt_long(3). Options stand anywhere before `--`. A
 * value is attached or the next word: `-t5s`, `-t 5s`, `--timeout=5s`, `--timeout 5s`. The next word is the
 * value whatever it looks like, so that all spellings mean the same. Letters can be joined: `-nq`, `-nt5s`.
 * The last one counts of an option that is given twice. `-` and negative numbers are operands.
 */

/**
 * The operands and options of a command, and the COMMAND that it runs.
 * @throws MqError USAGE
 */
export function parse(command: Command, args: string[]): Parsed {
  const refuse = (why: string) => wrongUsage(command, why);
  const { operands, places, behind, options, renamed } = read(args, [...command.options, ...COMMON], refuse);
  const parsed: Parsed = { operands, command: [], options, renamed: [...renamed] };
  if (options['help']) return parsed;
  const {
    operands: [least, most],
    runs,
  } = command;
  if (runs !== undefined && behind === undefined && operands.length > least) {
    const [before, after] = [args.slice(0, places[least]), args.slice(places[least])];
    throw new MqError('USAGE', 'COMMAND stands behind --', {
      advice: `as in: mq ${[command.name, ...before, '--', ...after].map(quoted).join(' ')}`,
    });
  }
  if (runs === undefined) operands.push(...(behind ?? []));
  else parsed.command.push(...(behind ?? []));
  if (operands.length < least)
    throw refuse(`${operandsOf(command)[operands.length]?.replace('...', '')} is missing`);
  if (operands.length > most) throw refuse(`unexpected operand '${operands[most]}'`);
  if (parsed.command.length === 0 && (runs === 'always' || (runs !== undefined && behind !== undefined)))
    throw refuse('COMMAND is missing');
  return parsed;
}

/**
 * The options before the name of a command, and the rest, which begins with that name.
 * @throws MqError USAGE
 */
export function parseLeading(
  args: string[],
  known: readonly Option[],
): Pick<Parsed, 'options'> & { rest: string[] } {
  const refuse = (why: string) => new MqError('USAGE', why, { advice: 'mq --help lists the commands.' });
  const { options, places } = read(args, known, refuse, 1);
  return { options, rest: places.length === 0 ? [] : args.slice(places[0]) };
}

/** Negative numbers. `-0` is an option, the only one with a digit. */
const NEGATIVE = /^-(?!0+$)(\d+(\.\d+)?|\.\d+)$/;

/** The words of a line, by their kinds. */
interface Words {
  operands: string[];
  /** The indices of the operands. */
  places: number[];
  /** The words behind `--`; undefined: there is none. */
  behind: string[] | undefined;
  options: Parsed['options'];
  /** Options that were given by their former names. */
  renamed: Set<Option>;
}

type Refuse = (why: string) => MqError;

/** @param most the number of operands after which reading ends */
function read(args: string[], known: readonly Option[], refuse: Refuse, most = Infinity): Words {
  const line: Words = { operands: [], places: [], behind: undefined, options: {}, renamed: new Set() };
  for (let at = 0; at < args.length && line.operands.length < most; at++) {
    const word = args[at] as string;
    if (word === '--') {
      line.behind = args.slice(at + 1);
      break;
    }
    if (!word.startsWith('-') || word === '-' || NEGATIVE.test(word)) {
      line.operands.push(word);
      line.places.push(at);
      continue;
    }
    for (const { option, spelled, attached } of optionsIn(word, known, refuse)) {
      const { name, value, former } = option;
      const isFormer = spelled.slice(2) === former;
      if (line.options[name] !== undefined && line.renamed.has(option) !== isFormer)
        throw refuse(`--${former} is called --${name} now: both were given`);
      if (isFormer) line.renamed.add(option);
      if (value === undefined) line.options[name] = true;
      else if (attached !== undefined) line.options[name] = attached;
      else if (++at < args.length) line.options[name] = args[at];
      else throw refuse(`the ${value} of ${spelled} is missing`);
    }
  }
  return line;
}

/** An option as it was spelled. */
interface SpelledOption {
  option: Option;
  spelled: string;
  /** The value in the same word. */
  attached?: string;
}

function* optionsIn(word: string, known: readonly Option[], refuse: Refuse): Generator<SpelledOption> {
  if (word.startsWith('--')) {
    const [, spelled, attached] = /^(--[^=]*)(?:=(.*))?$/s.exec(word) as unknown as [string, string, string?];
    const option = known.find(({ name, former }) => [name, former].includes(spelled.slice(2)));
    if (option === undefined) throw unknown(spelled, refuse);
    if (attached !== undefined && option.value === undefined) throw refuse(`${spelled} takes no value`);
    yield { option, spelled, ...(attached !== undefined && { attached }) };
    return;
  }
  let at = 1;
  for (const letter of word.slice(1)) {
    at += letter.length;
    const option = known.find(({ short }) => short === letter);
    if (option === undefined) throw unknown(`-${letter}`, refuse);
    const rest = word.slice(at);
    if (option.value === undefined && rest.startsWith('=')) throw refuse(`--${option.name} takes no value`);
    const takesRest = option.value !== undefined && rest !== '';
    yield { option, spelled: `-${letter}`, ...(takesRest && { attached: rest }) };
    if (takesRest) return;
  }
}

function unknown(spelled: string, refuse: Refuse): MqError {
  return refuse(`unknown option ${abridged(spelled)}`);
}

/** A word, quoted for the shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./{}-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
