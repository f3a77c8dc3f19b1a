import type { Exit } from '../cli/command.ts';
import { MqError } from '../errors.ts';
import { Output } from '../stdio/output.ts';

/** Prints an answer on standard output. @returns how the command ends */
export function print(text: string | Buffer): Promise<Exit> {
  return printAll([text]);
}

/** The same, part by part. */
export async function printAll(
  texts: Iterable<string | Buffer> | AsyncIterable<string | Buffer>,
): Promise<Exit> {
  try {
    const output = new Output();
    for await (const text of texts) await output.write(Buffer.from(text));
    return 0;
  } catch (error) {
    if (error instanceof MqError && error.code === 'READERGONE') return 'SIGPIPE';
    throw error;
  }
}
