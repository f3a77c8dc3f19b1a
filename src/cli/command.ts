import { type Code, MqError } from '../errors.ts';
import type { Places } from '../paths.ts';

/** The arguments of a command's `run`. */
export interface Invocation {
  operands: string[];
  /** The words behind `--`, for commands that run another one. */
  command: string[];
  /** Values by the long names of the options; undefined where an option is absent. */
  options: Readonly<Record<string, string | boolean | undefined>>;
  places: Places;
  /** Whether it may start a daemon. */
  start: boolean;
  /** Whether notes on standard error are left out. */
  quiet: boolean;
}

/** How the process of a command ends: with a status, or by a signal. */
export type Exit = number | NodeJS.Signals;

export interface Option {
  name: string;
  short?: string;
  /** The name of its value in the help; undefined: it takes none. */
  value?: string;
  /** An earlier long name, which is still understood. */
  former?: string;
  summary: string;
}

export interface Command {
  name: string;
  summary: string;
  /** The operands, as the help shows them. */
  usage: string;
  /** The least and the greatest number of operands. */
  operands: [least: number, most: number];
  /** Whether it takes a COMMAND to run, behind `--`. */
  runs?: 'always' | 'maybe';
  options: readonly Option[];
  /** Advice on errors of the daemon. The names of operands and of options' values in it are replaced by what was typed. */
  advice?: Partial<Record<Code, string>>;
  /** Command lines, and what each does. */
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

/** The names of the operands in the help. */
export function operandsOf({ usage }: Command): string[] {
  const [operands] = usage.split(/(?:^| )\[?-- /) as [string];
  return operands.split(' ').filter(Boolean);
}

/** The error for a command line that makes no sense, with the usage as advice. */
export function wrongUsage({ name, usage }: Command, why: string): MqError {
  return new MqError('USAGE', why, {
    advice: `usage: mq ${`${name} ${usage}`.trim()} (mq ${name} --help says more)`,
  });
}
