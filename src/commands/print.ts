import { MqError } from '../errors.ts';
import { Output } from '../output.ts';
import type { Outcome } from './command.ts';

/** Prints an answer on standard output; the outcome is that of the whole command. */
export async function print(text: string | Buffer): Promise<Outcome> {
  try {
    await new Output().write(Buffer.from(text));
    return 0;
  } catch (error) {
    if (error instanceof MqError && error.code === 'READERGONE') return 'SIGPIPE';
    throw error;
  }
}
