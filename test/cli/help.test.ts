import { describe, expect, test } from 'vitest';
import { COMMANDS, COMMON } from '../../src/cli/catalog.ts';
import { help } from '../../src/cli/help.ts';

test('the overview names all commands, in their order', async () => {
  const lines = (await help()).split('\n');
  const at = COMMANDS.map(({ name }) => lines.findIndex((line) => line.trimStart().startsWith(`mq ${name}`)));
  expect(at).not.toContain(-1);
  expect(at).toEqual([...at].sort((one, other) => one - other));
});

describe('the help of a command', () => {
  test.each(COMMANDS.map((command) => [command.name, command] as const))(
    '%s has its usage, options and examples',
    async (name, command) => {
      const text = await help(command);
      expect(text).toMatch(`Usage: mq ${name} [OPTION...]`);
      for (const { name, short } of [...command.options, ...COMMON])
        expect(text).toContain(short === undefined ? `--${name}` : `-${short}, --${name}`);
      for (const [example] of command.examples) expect(text).toContain(example);
    },
  );
});
