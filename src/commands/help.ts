import yargs, { type Argv } from 'yargs';
import { VERSION } from '../version.ts';
import { type Command, type Option, type Parsed, wrongUsage } from './command.ts';
import { COMMANDS, COMMON } from './index.ts';

/** The help of one command, or of mq as a whole. */
export async function help(command?: Command): Promise<string> {
  const parser = command === undefined ? overview() : helpOf(command);
  return `${await parser.getHelp()}\n`;
}

/**
 * Parses with yargs what Node's parser refused.
 * @throws MqError USAGE
 */
export function parseSlowly(command: Command, args: string[]): Parsed {
  const parser = withOptions(plain(args), command.options)
    .strictOptions()
    .fail((message, error) => {
      throw wrongUsage(command, (message ?? error.message).replace(/\n+/g, ' '));
    });
  const flag = [...command.options, ...COMMON].find(
    ({ name, value }) => value === undefined && args.some((arg) => arg.startsWith(`--${name}=`)),
  );
  if (flag !== undefined) throw wrongUsage(command, `--${flag.name} takes no value`);
  const { _: operands, $0, ...options } = parser.parseSync();
  return { operands: operands.map(String), options: options as Parsed['options'] };
}

function overview(): Argv {
  const parser = plain([])
    .usage(
      'Usage: mq COMMAND [OPTION...] [OPERAND...]\n\nNamed queues for the shell: put lines into them, get them out, across processes.',
    )
    .example('seq 100 | mq put jobs', 'put each line into the queue jobs')
    .example('mq get jobs', 'wait for a message and print it')
    .example('mq get -f jobs | while read -r job; do echo "$job"; done', 'handle messages as they come')
    .epilogue(`mq COMMAND --help says more of each; the manual is mq(1). This is mq ${VERSION}.`);
  for (const { name, usage, summary } of COMMANDS) parser.command(`${name} ${usage}`.trim(), summary);
  return withOptions(parser, [{ name: 'version', summary: 'print the version' }]);
}

function helpOf({ name, usage, summary, options, examples }: Command): Argv {
  const capital = summary[0]?.toUpperCase() + summary.slice(1);
  const line = `Usage: mq ${name} [OPTION...] ${usage}`.trimEnd();
  const parser = plain([]).usage(`${line}\n\n${capital}.`);
  for (const [example, what] of examples) parser.example(example, what);
  return withOptions(parser, options);
}

function withOptions(parser: Argv, options: readonly Option[]): Argv {
  for (const { name, short, value, summary } of [...options, ...COMMON]) {
    parser.option(name, {
      describe: value === undefined ? summary : `${summary} [${value}]`,
      ...(short !== undefined && { alias: short }),
      ...(value === undefined ? { boolean: true } : { string: true, requiresArg: true }),
    });
  }
  return parser;
}

function plain(args: string[]): Argv {
  return yargs(args)
    .scriptName('mq')
    .help(false)
    .version(false)
    .exitProcess(false)
    .wrap(Math.min(100, process.stdout.columns || 80))
    .parserConfiguration({
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'duplicate-arguments-array': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'strip-aliased': true,
    });
}
