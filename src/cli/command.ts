import { type Code, MqError } from '../errors.ts';
import type { Places } from '../paths.ts';

/** What a command is run with. */
export interface Invocation {
  operands: string[];
  /** What stands behind `--`, of a command that runs another one. */
  command: string[];
  /** By the long names of the options; absent ones are undefined. */
  options: Readonly<Record<string, string | boolean | undefined>>;
  places: Places;
  /** Whether it may start a daemon. */
  start: boolean;
  /** No notes on standard error. */
  quiet: boolean;
}

/** How the process of a command ends: with a status, or by a signal. */
export type Exit = number | NodeJS.Signals;

export interface Option {
  name: string;
  short?: string;
  /** What its value is called in the help; without: it takes none. */
  value?: string;
  /** The long name that it had, which is still understood. */
  former?: string;
  summary: string;
}

export interface Command {
  name: string;
  summary: string;
  /** The operands, as the help shows them. */
  usage: string;
  /** How many operands there can be. */
  operands: [least: number, most: number];
  /** Whether it takes a COMMAND to run, behind `--`. */
  runs?: 'always' | 'maybe';
  options: readonly Option[];
  /** What to do about errors that a running daemon answers. Operands and values of options stand by their names. */
  advice?: Partial<Record<Code, string>>;
  /** What to type, and what it does. */
  examples: readonly [string, string][];
  /** Whether it may start the daemon when none runs. */
  mayStart: boolean;
}

/** A command line, taken apart. */
export interface Parsed {
  operands: string[];
  command: string[];
  options: Record<string, string | boolean | undefined>;
  /** Options that were given by their former names. */
  renamed: Option[];
}

/** What the operands are called in the help. */
export function operandsOf({ usage }: Command): string[] {
  const [operands] = usage.split(/(?:^| )\[?-- /) as [string];
  return operands.split(' ').filter(Boolean);
}

/** A command line that makes no sense; says how it is used. */
export function wrongUsage({ name, usage }: Command, why: string): MqError {
  return new MqError('USAGE', why, {
    advice: `usage: mq ${`${name} ${usage}`.trim()} (mq ${name} --help says more)`,
  });
}
