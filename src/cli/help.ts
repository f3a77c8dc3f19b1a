import yargs, { type Argv } from 'yargs';
import { VERSION } from '../version.ts';
import { COMMANDS, COMMON, LEADING } from './catalog.ts';
import type { Command, Option } from './command.ts';

/** The help of one command, or of mq as a whole. */
export async function help(command?: Command): Promise<string> {
  const parser = command === undefined ? overview() : helpOf(command);
  return `${await parser.getHelp()}\n`;
}

function overview(): Argv {
  const parser = plain()
    .usage(
      'Usage: mq COMMAND [OPTION...] [OPERAND...]\n\nNamed queues for the shell: put lines into them, get them out, across processes.',
    )
    .example('seq 100 | mq put jobs', 'put each line into the queue jobs')
    .example('mq work jobs -j 4 -- handle {}', 'run a command for each, four at a time')
    .example('while job=$(mq get jobs); do ...; done', 'or take one after the other in a script')
    .epilogue(`mq COMMAND --help says more of each; the manual is mq(1). This is mq ${VERSION}.`);
  for (const { name, usage, summary } of COMMANDS) parser.command(`${name} ${usage}`.trim(), summary);
  return withOptions(parser, LEADING);
}

function helpOf({ name, usage, summary, options, examples }: Command): Argv {
  const capital = summary[0]?.toUpperCase() + summary.slice(1);
  const line = `Usage: mq ${name} [OPTION...] ${usage}`.trimEnd();
  const parser = plain().usage(`${line}\n\n${capital}.`);
  for (const [example, what] of examples) parser.example(example, what);
  return withOptions(parser, [...options, ...COMMON]);
}

function withOptions(parser: Argv, options: readonly Option[]): Argv {
  for (const { name, short, value, summary } of options) {
    parser.option(name, {
      describe: value === undefined ? summary : `${summary} [${value}]`,
      ...(short !== undefined && { alias: short }),
      ...(value === undefined ? { boolean: true } : { string: true, requiresArg: true }),
    });
  }
  return parser;
}

function plain(): Argv {
  return yargs([])
    .scriptName('mq')
    .help(false)
    .version(false)
    .exitProcess(false)
    .wrap(Math.min(100, process.stdout.columns || 80));
}
