import { MqError } from '../errors.ts';
import { Output } from '../output.ts';
import type { Outcome } from './command.ts';

/** Prints an answer on standard output; the outcome is that of the whole command. */
export function print(text: string | Buffer): Promise<Outcome> {
  return printAll([text]);
}

/** The same, part by part. */
export async function printAll(texts: Iterable<string | Buffer> | AsyncIterable<string>): Promise<Outcome> {
  try {
    const output = new Output();
    for await (const text of texts) await output.write(Buffer.from(text));
    return 0;
  } catch (error) {
    if (error instanceof MqError && error.code === 'READERGONE') return 'SIGPIPE';
    throw error;
  }
}
