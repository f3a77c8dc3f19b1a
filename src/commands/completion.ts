import { setTimeout as delay } from 'node:timers/promises';
import { RootCommand, script } from '@bomb.sh/tab';
import { MqError } from '../errors.ts';
import type { Places } from '../paths.ts';
import { KINDS } from '../settings.ts';
import { type Command, type Invocation, type Option, type Outcome, operandsOf } from './command.ts';
import { isPipe } from './describe.ts';
import { COMMANDS, COMMON } from './index.ts';
import { list } from './list.ts';
import { print } from './print.ts';

/** For how long a daemon may take to name its queues, in ms: somebody has just pressed Tab. */
const PATIENCE = 1000;

const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** Words that can come next, and what is said about each. */
type Choices = readonly (readonly [word: string, what: string])[];

/**
 * mq completion: prints the script that completes mq's command lines in a shell. The script asks
 * back: `mq completion complete -- WORD...` prints the choices for the last word, one a line with
 * a tab and a description behind it, and at the end the line `:4`, which stands for "no file names".
 */
export async function run({ operands, places }: Invocation): Promise<Outcome> {
  const [shell, ...words] = operands as [string, ...string[]];
  if (shell === 'complete') return print(await complete(words, places));
  if (words.length > 0) throw new MqError('USAGE', `unexpected operand '${words[0]}'`);
  if (shell === 'bash') return print(BASH);
  if (shell === 'zsh') return print(scriptFor(shell).replace(COLON, ESCAPED_COLON));
  if (shell === 'fish') return print(scriptFor(shell));
  throw new MqError('USAGE', `'${shell.slice(0, 40)}' is none of the shells bash, zsh and fish`);
}

/** What there is to name. */
interface Names {
  queues: Choices;
  pipes: Choices;
}

const NO_NAMES: Names = { queues: [], pipes: [] };

/** Nothing to choose from. */
const NONE = ':4\n';

async function complete(words: string[], places: Places): Promise<string> {
  if (isOfOther(words)) return NONE;
  const names = await Promise.race([namesOf(places), delay(PATIENCE, NO_NAMES, { ref: false })]);
  const root = new RootCommand();
  addOptions(root, COMMON, names);
  for (const command of COMMANDS) {
    const line = root.command(command.name, command.summary);
    addOptions(line, [...command.options, ...COMMON], names);
    for (const operand of operandsOf(command)) {
      const choices = choicesOf(operand.replace(/[[\].]/g, ''), names);
      line.argument(operand, (add) => offer(add, choices), operand.includes('...'));
    }
  }
  return printed(() => root.parse(simplified(words)));
}

/** Those of a daemon that runs; none is started for this. */
async function namesOf(places: Places): Promise<Names> {
  try {
    const all = await list(places, false);
    return {
      queues: all
        .filter((each) => !isPipe(each))
        .map(({ name, waiting }) => [String(name), `${waiting} waiting`] as const),
      // The others have both their ends.
      pipes: all
        .filter((each) => isPipe(each) && each['state'] === 'waiting')
        .map(({ name }) => [String(name), 'waits for a second end'] as const),
    };
  } catch (error) {
    if (error instanceof MqError) return NO_NAMES;
    throw error;
  }
}

/** What can stand for an operand, or for the value of an option, that the help calls `what`. */
function choicesOf(what: string, { queues, pipes }: Names): Choices {
  if (what === 'QUEUE' || what === 'FROM' || what === 'TO') return queues;
  if (what === 'NAME') return pipes;
  if (what === 'KIND') return KINDS.map((kind) => [kind, ''] as const);
  return what === 'SHELL' ? SHELLS.map((shell) => [shell, ''] as const) : [];
}

function addOptions(
  line: ReturnType<RootCommand['command']>,
  options: readonly Option[],
  names: Names,
): void {
  for (const { name, short, value, summary } of options) {
    // To the library an option with a function takes a value, and one with a letter only takes none.
    if (value === undefined && short !== undefined) line.option(name, summary, short);
    else if (value === undefined) line.option(name, summary);
    else line.option(name, summary, (add) => offer(add, choicesOf(value, names)), short);
  }
}

/** Whether the last word belongs to the COMMAND of the one that is typed. */
function isOfOther(words: string[]): boolean {
  const verb = words.find((word) => !word.startsWith('-'));
  const runs = COMMANDS.some(({ name, runs }) => name === verb && runs !== undefined);
  return runs && words.slice(0, -1).includes('--');
}

function offer(add: (word: string, what: string) => void, choices: Choices): void {
  for (const [word, what] of choices) add(word, what);
}

/** Without `--timeout=5s`, `-t5s`, `-nq` and `--`: the library takes the word behind for their value. */
function simplified(words: string[]): string[] {
  const options = [...COMMANDS.flatMap((command: Command) => command.options), ...COMMON];
  const names = new Set(options.flatMap(({ name, short }) => [`--${name}`, `-${short}`]));
  return words.filter((word, i) => i === words.length - 1 || !word.startsWith('-') || names.has(word));
}

/** Here the library's script lost a backslash, so that a name with a colon is cut there. */
const COLON = '{comp//:/\\:}';
const ESCAPED_COLON = '{comp//:/\\\\:}';

function scriptFor(shell: string): string {
  return printed(() => script(shell, 'mq', 'mq completion'));
}

/** The library prints by itself; here standard output is written in one place, with an exit status. */
function printed(run: () => void): string {
  const { log } = console;
  const lines: unknown[] = [];
  console.log = (line) => lines.push(line);
  try {
    run();
  } finally {
    console.log = log;
  }
  return lines.map((line) => `${line}\n`).join('');
}

/**
 * The library's own script for bash is not used: it evaluates the line that is being typed, so that
 * Tab behind `mq get jobs > file` empties the file, it needs the package bash-completion, and it
 * breaks names with a colon. Bash ends words at : and =, so this one puts them together again.
 */
const BASH = `# bash completion for mq
_mq() {
  local i word cur= piece prefix line
  local -a words=()
  for ((i = 1; i <= COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ -n $word && \${#words[@]} -gt 0 && ( $word != *[!:=]* || $cur == *[:=] ) ]]; then
      words[\${#words[@]}-1]=$cur$word
      cur=$cur$word
    else
      words+=("$word")
      cur=$word
    fi
  done
  piece=\${COMP_WORDS[COMP_CWORD]}
  [[ $piece == *[!:=]* ]] || piece=
  prefix=\${cur%"$piece"}
  COMPREPLY=()
  while IFS= read -r line; do
    [[ $line == *$'\\t'* ]] || continue
    line=\${line%%$'\\t'*}
    COMPREPLY+=("\${line#"$prefix"}")
  done < <(mq completion complete -- "\${words[@]}" 2>/dev/null)
}
complete -F _mq mq
`;
