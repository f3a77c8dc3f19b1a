import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { BIN, type Mq, test } from './cli/mq.ts';
import { NOT_RUN, RECIPES, type Recipe, STUBS } from './readme/recipes.ts';

interface Block {
  language: string;
  text: string;
  /** Its first line, by which it is found. */
  name: string;
}

const blocks: Block[] = [...readFileSync('README.md', 'utf8').matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(
  ([, language, text]) => {
    const [name] = (text as string).replace('#!/bin/sh\n', '').split('\n') as [string];
    return { language: language as string, text: text as string, name };
  },
);

/** In s. What is waited for in vain ends then. */
const LIMIT = 60;

let server: Server;

beforeAll(async () => {
  // The path stands for the download.
  server = createServer(({ url }, answer) => answer.end(url));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(() => server.close());

test('each block of the README is run, or there is a reason why not', () => {
  expect(blocks.map(({ name }) => name).sort()).toEqual(
    expect.arrayContaining([...Object.keys(RECIPES), ...Object.keys(NOT_RUN)]),
  );
  for (const { name } of blocks) expect([name, name in RECIPES || name in NOT_RUN]).toEqual([name, true]);
});

describe.each(['without', 'with'] as const)('the README, %s a daemon that runs', (how) => {
  const runnable = blocks.filter(({ name }) => name in RECIPES);
  test.for(runnable)('$name', async (block, { mq, skip }) => {
    const recipe = RECIPES[block.name] as Recipe;
    const lacking = (recipe.needs ?? []).filter((command) => spawnSync('sh', ['-c', command]).status !== 0);
    skip(lacking.length > 0, `does not work here: ${lacking.join(', ')}`);
    for (const [name, text] of linesOf(block, recipe)) await runBlock(mq, recipe, how, name, text);
  });
});

/** The parts that are run by themselves: the whole block, or each of its lines. */
function linesOf({ language, text }: Block, { isEachAlone }: Recipe): [language: string, text: string][] {
  if (!isEachAlone) return [[language, text]];
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => [language, `${line}\n`]);
}

async function runBlock(mq: Mq, recipe: Recipe, how: string, language: string, text: string): Promise<void> {
  const home = homeOf(mq);
  const env = {
    ...recipe.env,
    HOME: home,
    CHECKOUT: resolve('.'),
    URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  };
  const inHome = (script: string) =>
    mq.startSh(`cd "$HOME" && PATH=$HOME/bin:$PATH && ${script}`, { env, input: recipe.input ?? '' });
  const helper = async (what: string, script: string) => {
    writeFileSync(join(home, what), `set -e\n${script}\n`);
    const { status, out, err } = await inHome(`exec timeout ${LIMIT} sh ./${what}`).done;
    expect({ what, status, out, err }, script).toMatchObject({ status: 0 });
  };

  const { before, meanwhile, after } = recipe;
  if (before !== undefined) await helper('before', before);
  if (how === 'with') await helper('daemon', 'mq start');
  else if (before !== undefined) await helper('daemon', 'mq stop');
  writeFileSync(join(home, 'block'), text);
  const folder = recipe.isInCheckout ? 'cd "$CHECKOUT" && ' : '';
  const running = inHome(`${folder}exec timeout ${LIMIT} ${commandFor(language, text, home)}`);
  if (meanwhile !== undefined) await helper('meanwhile', meanwhile);
  const { status, out, err } = await running.done;
  expect({ status, out, err }, text).toEqual({
    status: 0,
    out: expected(recipe.out),
    err: expected(recipe.err),
  });
  if (after !== undefined) await helper('after', after);
}

function expected(text: string | RegExp = ''): unknown {
  return typeof text === 'string' ? text : expect.stringMatching(text);
}

function commandFor(language: string, text: string, home: string): string {
  const shell = /mq completion (\w+)/.exec(text)?.[1] ?? language;
  if (shell === 'crontab') return `sh ${cronScript(home)}`;
  if (shell === 'python') return 'python3 "$HOME/block"';
  if (shell === 'zsh') return `zsh -f -c 'autoload -U compinit; compinit -u -D; . "$HOME/block"'`;
  return `${shell} "$HOME/block"`;
}

/**
 * The lines of a crontab as cron runs them, each with hardly any environment: from the last to the first,
 * as when nothing is there yet, and in their order.
 */
function cronScript(home: string): string {
  let path = `${home}/bin:/usr/bin:/bin`;
  const lines = readFileSync(join(home, 'block'), 'utf8').split('\n').filter(Boolean);
  const script = lines.flatMap((line) => {
    const [, setting] = /^PATH=(.*)$/.exec(line) ?? [];
    if (setting !== undefined) path = setting.replace('/home/me', home);
    const command = /^(?:\S+\s+){5}(.*)$/.exec(line)?.[1];
    if (setting !== undefined || command === undefined) return [];
    return [`env -i HOME="$HOME" PATH='${path}' SHELL=/bin/sh sh -c '${command.replaceAll("'", "'\\''")}'`];
  });
  writeFileSync(join(home, 'cron'), `${[...script].reverse().join('\n')}\n${script.join('\n')}\ntrue\n`);
  return '"$HOME/cron"';
}

/** A home folder whose state folder is that of this mq, with mq and some made-up commands in ~/bin. */
function homeOf(mq: Mq): string {
  const home = join(mq.home, 'home');
  if (mkdirSync(join(home, 'bin'), { recursive: true }) === undefined) return home;
  mkdirSync(join(home, '.local/state'), { recursive: true });
  symlinkSync(mq.home, join(home, '.local/state/mq'));
  symlinkSync(BIN, join(home, 'bin/mq'));
  const nightly = blocks.find(({ text }) => text.startsWith('#!/bin/sh'))?.text as string;
  for (const [name, script] of Object.entries({ ...STUBS, nightly }))
    writeFileSync(join(home, 'bin', name), script, { mode: 0o755 });
  return home;
}
