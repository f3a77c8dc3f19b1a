import { adviceOn } from './cli/advice.ts';
import { COMMANDS, type CommandName, LEADING } from './cli/catalog.ts';
import type { Command, Exit, Invocation, Parsed } from './cli/command.ts';
import { end } from './cli/exit.ts';
import { parse, parseLeading } from './cli/parse.ts';
import { EXIT_STATUS, EXPECTED, MqError } from './errors.ts';
import { hasFront, keepIgnored } from './inherited.ts';
import { abridged } from './names.ts';
import { complain, note, visible } from './output/terminal.ts';
import { places } from './paths.ts';

/** The code of each command, loaded when it is run. */
const LOAD: Record<CommandName, () => Promise<{ run: (invocation: Invocation) => Promise<Exit> }>> = {
  close: () => import('./commands/close.ts'),
  completion: () => import('./commands/completion.ts'),
  create: () => import('./commands/create.ts'),
  done: () => import('./commands/done.ts'),
  drop: () => import('./commands/drop.ts'),
  empty: () => import('./commands/empty.ts'),
  extend: () => import('./commands/extend.ts'),
  fail: () => import('./commands/fail.ts'),
  full: () => import('./commands/full.ts'),
  get: () => import('./commands/get.ts'),
  join: () => import('./commands/join.ts'),
  ls: () => import('./commands/ls.ts'),
  move: () => import('./commands/move.ts'),
  open: () => import('./commands/open.ts'),
  pause: () => import('./commands/pause.ts'),
  peek: () => import('./commands/peek.ts'),
  pipe: () => import('./commands/pipe.ts'),
  purge: () => import('./commands/purge.ts'),
  put: () => import('./commands/put.ts'),
  rename: () => import('./commands/rename.ts'),
  resume: () => import('./commands/resume.ts'),
  retry: () => import('./commands/retry.ts'),
  rm: () => import('./commands/rm.ts'),
  serve: () => import('./commands/serve.ts'),
  set: () => import('./commands/set.ts'),
  size: () => import('./commands/size.ts'),
  start: () => import('./commands/start.ts'),
  stat: () => import('./commands/stat.ts'),
  status: () => import('./commands/status.ts'),
  stop: () => import('./commands/stop.ts'),
  work: () => import('./commands/work.ts'),
};

interface ErrorContext {
  /** The subject of an error: the command, and its first operand. */
  what: string;
  /** Whether expected errors go unsaid. */
  quiet: boolean;
  command?: Command;
  parsed?: Parsed;
}

/** argv -> one command -> one exit status. */
async function main(args: string[]): Promise<Exit> {
  const context: ErrorContext = { what: '', quiet: false };
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
async function runLine(args: string[], context: ErrorContext): Promise<Exit> {
  const { options: leading, rest } = parseLeading(args, LEADING);
  const [name, ...words] = rest;
  if (leading['version']) return version();
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
  const { run } = await LOAD[command.name]();
  return run({ ...parsed, options, places: places(), start, quiet });
}

/** @throws MqError USAGE */
function find(name: string | undefined): (typeof COMMANDS)[number] {
  const command = COMMANDS.find((each) => each.name === name);
  if (command) return command;
  const why = name === undefined ? 'COMMAND is missing' : `unknown command '${abridged(name)}'`;
  throw new MqError('USAGE', why, { advice: 'mq --help lists the commands.' });
}

async function help(name: string | undefined, wanted: boolean): Promise<Exit> {
  const command = name === undefined ? undefined : find(name);
  leaveGoneFolder();
  const text = await (await import('./cli/help.ts')).help(command);
  if (wanted) return print(text);
  process.stderr.write(text);
  return EXIT_STATUS.USAGE;
}

/** yargs needs a working folder when it is loaded, and ours may have been removed. */
function leaveGoneFolder(): void {
  try {
    process.cwd();
  } catch {
    process.chdir('/');
  }
}

/** And whether this call came through the native front. */
async function version(): Promise<Exit> {
  const { VERSION } = await import('./version.ts');
  return print(`mq ${VERSION} (${hasFront ? 'native front' : 'no native front'})\n`);
}

async function print(text: string): Promise<Exit> {
  return (await import('./output/print.ts')).print(text);
}

keepIgnored();
main(process.argv.slice(2)).then(end, (error: unknown) => {
  note(`an error in mq itself: ${error instanceof Error ? error.stack : error}`);
  end(EXIT_STATUS.INTERNAL);
});
