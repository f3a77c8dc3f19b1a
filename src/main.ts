import { existsSync } from 'node:fs';
import { adviceOn } from './commands/advice.ts';
import type { Command, Outcome, Parsed } from './commands/command.ts';
import { COMMANDS, LEADING } from './commands/index.ts';
import { parse, parseLeading } from './commands/parse.ts';
import { type Code, EXIT_STATUS, MqError } from './errors.ts';
import { keepIgnored } from './given.ts';
import { abridged } from './names.ts';
import { places } from './paths.ts';
import { complain, note, visible } from './terminal.ts';

/** What a command can come to in good order; -q keeps it quiet. */
const EXPECTED = new Set<Code>(['EMPTY', 'FULL', 'UNFINISHED', 'ALONE', 'CLOSED']);

interface Context {
  /** What an error is about. */
  what: string;
  /** Whether what is expected is said. */
  quiet: boolean;
  command?: Command;
  parsed?: Parsed;
}

/** argv -> one command -> one exit status. */
async function main(args: string[]): Promise<Outcome> {
  const context: Context = { what: '', quiet: false };
  try {
    if (args.length === 0) return await help(undefined, false);
    return await runLine(args, context);
  } catch (error) {
    if (!(error instanceof MqError)) throw error;
    const advice = error.advice ?? adviceOn(error.code, context.command, context.parsed);
    if (!(context.quiet && EXPECTED.has(error.code))) await complain(context.what, error.message, advice);
    return EXIT_STATUS[error.code];
  }
}

/** @param context filled in as far as it is known */
async function runLine(args: string[], context: Context): Promise<Outcome> {
  const { options: leading, rest } = parseLeading(args, LEADING);
  const [name, ...words] = rest;
  if (leading['version']) return print(`mq ${(await import('./version.ts')).VERSION}\n`);
  if (leading['help']) return help(name, true);
  if (name === 'help') return help(parseLeading(words, LEADING).rest[0], true);
  const command = find(name);
  context.what = `${command.name}: `;
  const parsed = parse(command, words);
  const options = { ...leading, ...parsed.options };
  if (options['help']) return help(name, true);
  const [first] = parsed.operands;
  if (first !== undefined) context.what = `${command.name} ${abridged(first)}: `;
  const quiet = options['quiet'] === true;
  Object.assign(context, { quiet, command, parsed });
  for (const { name, former } of quiet ? [] : parsed.renamed)
    note(visible(`${context.what}--${former} is called --${name} now`));
  const start = command.mayStart && !options['no-start'] && process.env['MQ_NO_START'] !== '1';
  const { run } = await command.load();
  return run({ ...parsed, options, places: places(), start, quiet });
}

/** @throws MqError USAGE */
function find(name: string | undefined): Command {
  const command = COMMANDS.find((each) => each.name === name);
  if (command) return command;
  const why = name === undefined ? 'COMMAND is missing' : `unknown command '${abridged(name)}'`;
  throw new MqError('USAGE', why, { advice: 'mq --help lists the commands.' });
}

async function help(name: string | undefined, wanted: boolean): Promise<Outcome> {
  const command = name === undefined ? undefined : find(name);
  leaveGoneFolder();
  const text = await (await import('./commands/help.ts')).help(command);
  if (wanted) return print(text);
  process.stderr.write(text);
  return EXIT_STATUS.USAGE;
}

/** yargs asks for the working folder when it is loaded, and it may have been removed. */
function leaveGoneFolder(): void {
  try {
    process.cwd();
  } catch {
    process.chdir('/');
  }
}

async function print(text: string): Promise<Outcome> {
  return (await import('./commands/print.ts')).print(text);
}

/** Ends the process: by the signal itself, where that is the outcome, so that a shell's loop ends too. */
function end(outcome: Outcome): void {
  if (typeof outcome === 'number') exit(outcome);
  // Node ignores SIGPIPE; without listeners a signal has its default effect again.
  if (outcome === 'SIGPIPE') process.on(outcome, () => {});
  process.removeAllListeners(outcome);
  process.kill(process.pid, outcome);
}

/** Microseconds of CPU. A process that took less, its start included, has had hardly anything compiled. */
const LITTLE_WORK = 200_000;

const SHELL = '/bin/sh';

/**
 * V8 compiles what is hot on other threads. Such a thread may wait for the main thread while that ends
 * the process and waits for it, for ever (https://github.com/nodejs/node/issues/54918; seen in one of
 * some thousand runs). So a process that has done much becomes another that ends at once: the kernel
 * waits for no thread then. One that has done little ends by itself: a signal that comes now is held here
 * until the end, and would end the other one, with another status.
 */
function exit(status: number): never {
  const { user, system } = process.cpuUsage();
  if (user + system > LITTLE_WORK && process.execve && existsSync(SHELL)) {
    // A shell complains of a working folder that was removed.
    process.chdir('/');
    process.execve(SHELL, ['sh', '-c', `trap '' HUP INT TERM; exit ${status}`], {});
  }
  process.exit(status);
}

keepIgnored();
main(process.argv.slice(2)).then(end, (error: unknown) => {
  note(`an error in mq itself: ${error instanceof Error ? error.stack : error}`);
  end(EXIT_STATUS.INTERNAL);
});
