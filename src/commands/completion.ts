import type { Invocation, Outcome } from './index.ts';
import { print } from './print.ts';

export async function run({ operands }: Invocation): Promise<Outcome> {
  return print(`${operands[0]}\n`);
}
