import type { Exit, Invocation } from '../cli/command.ts';
import { countOf, framingOf } from '../cli/options.ts';
import { ask } from '../client/ask.ts';
import type { Held } from '../client/held.ts';
import { MqError } from '../errors.ts';
import { separatorOf } from '../lines.ts';
import { checkName } from '../names.ts';
import { countsOf } from '../output/counts.ts';
import { print } from '../output/print.ts';
import { renderer, renderJson } from '../output/render.ts';
import { pack } from '../packed.ts';

/** mq peek: prints the next messages and leaves them. */
export async function run({ operands, options, places, start, quiet }: Invocation): Promise<Exit> {
  const queue = checkName(operands[0] as string);
  const render = options['json'] ? renderJson : renderer(separatorOf(framingOf(options)));
  const count = countOf(options) ?? 1;
  const runs = (await ask(places, start, { verb: 'PEEK', queue, count })) as [
    number,
    1 | -1,
    number,
    number,
    number,
    Buffer[],
  ][];
  if (runs.length === 0) {
    const counts = quiet ? '' : await countsOf(places, [queue]);
    throw new MqError('EMPTY', `no message is waiting${counts}`);
  }
  const held = runs.map(([id, step, priority, putAt, attempt, messages]): Held => {
    return { queue, id, step, priority, putAt, attempt, messages: pack(messages) };
  });
  return print(render(held).bytes);
}
