import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Exit, Invocation } from '../cli/command.ts';
import { complete, type Names } from '../cli/complete.ts';
import { SCRIPTS } from '../cli/completion-scripts.ts';
import { allQueues } from '../client/all-queues.ts';
import { MqError } from '../errors.ts';
import { type Described, isPipe, toObject } from '../output/describe.ts';
import { print } from '../output/print.ts';
import type { Places } from '../paths.ts';

/** Milliseconds that a daemon has to start and to name its queues: somebody has just pressed Tab. */
const PATIENCE = 2000;

/**
 * mq completion: prints the script that completes mq's command lines in a shell. The script asks
 * back: `mq completion complete -- WORD...` answers for the last word, one line each:
 *
 * - a word that can stand there, a tab and a description;
 * - `:files`: a file name can stand there;
 * - `:command N`: from the Nth WORD on it is the command line of another program.
 */
export async function run({ operands, places, start }: Invocation): Promise<Exit> {
  const [shell, ...words] = operands as [string, ...string[]];
  if (shell === 'complete') {
    const answer = await complete(words, () => namesOf(places, start && !words.includes('--no-start')));
    return print(answer.map((line) => `${line}\n`).join(''));
  }
  if (words.length > 0) throw new MqError('USAGE', `unexpected operand '${words[0]}'`);
  const script = Object.entries(SCRIPTS).find(([name]) => name === shell);
  if (script) return print(script[1]);
  throw new MqError('USAGE', `'${shell.slice(0, 40)}' is not one of the shells bash, zsh and fish`);
}

/** @param start whether a daemon may be started; without a store none is, because there is nothing to name */
async function namesOf(places: Places, start: boolean): Promise<Names> {
  try {
    const asked = listed(places, start && existsSync(places.store));
    const all = (await Promise.race([asked, delay(PATIENCE, undefined, { ref: false })])) ?? [];
    return {
      queues: all
        .filter((each) => !isPipe(each['kind']))
        .map(({ name, waiting }) => [String(name), `${waiting} waiting`] as const),
      // Other pipes have both ends.
      pipes: all
        .filter((each) => isPipe(each['kind']) && each['state'] === 'waiting')
        .map(({ name }) => [String(name), 'waits for a second end'] as const),
    };
  } catch (error) {
    if (error instanceof MqError) return { queues: [], pipes: [] };
    throw error;
  }
}

async function listed(places: Places, start: boolean): Promise<Described[]> {
  const all: Described[] = [];
  for await (const page of allQueues(places, start)) for (const each of page) all.push(toObject(each));
  return all;
}
