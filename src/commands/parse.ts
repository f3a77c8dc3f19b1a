import { parseArgs } from 'node:util';
import { errnoOf } from '../errors.ts';
import { type Command, type Parsed, wrongUsage } from './command.ts';
import { COMMON } from './index.ts';

/**
 * The operands and options of a command line. What Node's own parser does not accept is given to
 * yargs, which is slower, takes more, and explains the rest.
 * @throws MqError USAGE
 */
export async function parse(command: Command, args: string[]): Promise<Parsed> {
  const parsed = parseFast(command, args) ?? (await import('./help.ts')).parseSlowly(command, args);
  const [least, most] = command.operands;
  if (!parsed.options['help']) {
    if (parsed.operands.length < least) throw wrongUsage(command, 'too few operands');
    if (parsed.operands.length > most)
      throw wrongUsage(command, `unexpected operand '${parsed.operands[most]}'`);
  }
  return parsed;
}

function parseFast(command: Command, args: string[]): Parsed | undefined {
  // The most frequent command lines do not even need Node's parser, which costs a millisecond.
  if (!args.some((arg) => arg.startsWith('-'))) return { operands: args, options: {} };
  const options = Object.fromEntries(
    [...command.options, ...COMMON].map(({ name, short, value }) => [
      name,
      {
        type: value === undefined ? ('boolean' as const) : ('string' as const),
        ...(short !== undefined && { short }),
      },
    ]),
  );
  try {
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    return { operands: positionals, options: { ...values } as Parsed['options'] };
  } catch (error) {
    if (errnoOf(error)?.startsWith('ERR_PARSE_ARGS')) return undefined;
    throw error;
  }
}
