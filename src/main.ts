import type { Outcome } from './commands/command.ts';
import { COMMANDS } from './commands/index.ts';
import { parse } from './commands/parse.ts';
import { type Code, EXIT_STATUS, MqError } from './errors.ts';
import { places } from './paths.ts';
import { complain } from './terminal.ts';

/** What a command can come to in good order; -q keeps it quiet. */
const EXPECTED = new Set<Code>(['EMPTY', 'FULL', 'CLOSED']);

/** argv -> one command -> one exit status. */
async function main(args: string[]): Promise<Outcome> {
  const [name, ...rest] = verbFirst(args);
  if (name === undefined || name === '--help' || name === '-h' || name === 'help')
    return help(rest[0], name !== undefined);
  if (name === '--version') return print(`mq ${(await import('./version.ts')).VERSION}\n`);
  const command = COMMANDS.find((each) => each.name === name);
  if (command === undefined) {
    const advice = 'mq --help lists the commands.';
    await complain('', `unknown command '${name}'`, advice);
    return EXIT_STATUS.USAGE;
  }
  let quiet = false;
  let what = name;
  try {
    const { operands, options } = await parse(command, rest);
    if (options['help']) return await help(name, true);
    if (operands.length > 0) what = `${name} ${operands[0]}`;
    quiet = options['quiet'] === true;
    const start = command.mayStart && !options['no-start'] && process.env['MQ_NO_START'] !== '1';
    const { run } = await command.load();
    return await run({ operands, options, places: places(), start, quiet });
  } catch (error) {
    if (!(error instanceof MqError)) throw error;
    if (!(quiet && EXPECTED.has(error.code))) await complain(`${what}: `, error.message, error.advice);
    return EXIT_STATUS[error.code];
  }
}

/** Flags may stand before the command too: `mq -q get q`. */
function verbFirst(args: string[]): string[] {
  const at = args.findIndex((arg) => !arg.startsWith('-'));
  const flags = args.slice(0, Math.max(0, at));
  const movable = flags.every((flag) => /^(-q|--quiet|--no-start)$/.test(flag));
  return at > 0 && movable ? [args[at] as string, ...flags, ...args.slice(at + 1)] : args;
}

async function help(name: string | undefined, wanted: boolean): Promise<Outcome> {
  const text = await (await import('./commands/help.ts')).help(COMMANDS.find((each) => each.name === name));
  if (wanted) return print(text);
  process.stderr.write(text);
  return EXIT_STATUS.USAGE;
}

async function print(text: string): Promise<Outcome> {
  return (await import('./commands/print.ts')).print(text);
}

/** Ends the process: by the signal itself, where that is the outcome, so that a shell's loop ends too. */
function end(outcome: Outcome): void {
  if (typeof outcome === 'number') process.exit(outcome);
  // Node ignores SIGPIPE; without listeners a signal has its default effect again.
  process.on(outcome, () => {});
  process.removeAllListeners(outcome);
  process.kill(process.pid, outcome);
}

main(process.argv.slice(2)).then(end, async (error: unknown) => {
  await complain('', `an error in mq itself: ${error instanceof Error ? error.stack : error}`, undefined);
  end(EXIT_STATUS.INTERNAL);
});
