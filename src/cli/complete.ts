import { MESSAGE_STATES } from '../message-state.ts';
import { KINDS } from '../settings.ts';
import { COMMANDS, COMMON, LEADING } from './catalog.ts';
import { type Command, type Option, operandsOf } from './command.ts';
import { SCRIPTS } from './completion-scripts.ts';

/** Words that can come next, each with its description. */
type Choices = readonly (readonly [word: string, what: string])[];

/** Names that can stand for an operand. */
export interface Names {
  queues: Choices;
  pipes: Choices;
}

/**
 * Completes the last word: the lines of the answer (commands/completion.ts).
 * @param askNames called only where a name can stand, because it takes a daemon
 */
export async function complete(words: string[], askNames: () => Promise<Names>): Promise<string[]> {
  const last = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const at = before.findIndex((word) => !word.startsWith('-'));
  const fitting = (choices: Choices) =>
    choices.filter(([word]) => word.startsWith(last)).map(([word, what]) => `${word}\t${what}`);
  if (at === -1) {
    if (last.startsWith('-')) return fitting(flagsOf(LEADING));
    return fitting(COMMANDS.map(({ name, summary }) => [name, summary] as const));
  }
  const command = COMMANDS.find(({ name }) => name === before[at]);
  if (command === undefined) return [];
  const cursor = cursorAfter(before.slice(at + 1), command);
  if (cursor.command !== undefined) return [`:command ${at + 1 + cursor.command}`];
  const options = [...command.options, ...COMMON];
  let prefix = '';
  let what = cursor.value ?? operandAt(command, cursor.operands);
  if (cursor.value === undefined && cursor.mayBeOption && last.startsWith('-')) {
    const name = /^--([^=]*)=/.exec(last)?.[1];
    if (name === undefined) return fitting(flagsOf(options));
    prefix = `--${name}=`;
    what = options.find((option) => option.name === name)?.value;
  }
  if (what === 'MESSAGE') return [':files'];
  return fitting(
    (await choicesOf(what, askNames)).map(([word, summary]) => [prefix + word, summary] as const),
  );
}

/** The place of the last word, which is to be completed. */
interface Cursor {
  /** The number of operands in front of it. */
  operands: number;
  mayBeOption: boolean;
  /** The name of the value, where the option in front of it takes one. */
  value?: string | undefined;
  /** Where another program's command line begins, counted in words behind the verb, from 1. */
  command?: number;
}

/** @param words the words behind the verb */
function cursorAfter(words: string[], command: Command): Cursor {
  const options = [...command.options, ...COMMON];
  let operands = 0;
  let value: string | undefined;
  for (const [i, word] of words.entries()) {
    if (value !== undefined) value = undefined;
    else if (word === '--') {
      if (command.runs !== undefined) return { operands, mayBeOption: false, command: i + 2 };
      return { operands: operands + words.length - i - 1, mayBeOption: false };
    } else if (word.startsWith('-') && word !== '-') value = valueBehind(word, options);
    else operands += 1;
  }
  return { operands, mayBeOption: true, value };
}

/** The name of the value that an option word (`--timeout`, `-nt`) takes from the next word. */
function valueBehind(word: string, options: Option[]): string | undefined {
  if (word.startsWith('--'))
    return options.find(({ name, former }) => [name, former].includes(word.slice(2)))?.value;
  const letters = [...word.slice(1)];
  const at = letters.findIndex(
    (letter) => options.find(({ short }) => short === letter)?.value !== undefined,
  );
  if (at !== letters.length - 1) return undefined;
  return options.find(({ short }) => short === letters[at])?.value;
}

function operandAt(command: Command, index: number): string | undefined {
  const operands = operandsOf(command);
  const last = operands.at(-1);
  const operand = operands[index] ?? (last?.includes('...') ? last : undefined);
  return operand?.replace(/[[\].]/g, '');
}

function flagsOf(options: readonly Option[]): Choices {
  return options.flatMap(({ name, short, summary }) => [
    [`--${name}`, summary] as const,
    ...(short === undefined ? [] : [[`-${short}`, summary] as const]),
  ]);
}

/** Choices for an operand, or the value of an option, that the help calls `what`. */
async function choicesOf(what: string | undefined, askNames: () => Promise<Names>): Promise<Choices> {
  if (what === 'KIND') return KINDS.map((kind) => [kind, ''] as const);
  if (what === 'STATE') return MESSAGE_STATES.map((state) => [state, ''] as const);
  if (what === 'SHELL') return Object.keys(SCRIPTS).map((shell) => [shell, ''] as const);
  if (what === 'NAME') return (await askNames()).pipes;
  return ['QUEUE', 'FROM', 'TO', 'OUT', 'OLD'].includes(what ?? '') ? (await askNames()).queues : [];
}
