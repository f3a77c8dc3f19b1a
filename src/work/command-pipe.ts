import { closeSync } from 'node:fs';
import { openPipe } from '../stdio/temporary.ts';
import { noFile } from './child.ts';
import type { Starter } from './starter.ts';

/** A pipe between this process and commands. */
export interface PipeToCommand {
  /** The end that is open here, and does not block. */
  ours: number;
  /** The number of the other end: with the starter where there is one, else here. */
  theirs: number;
  /** Closes the other end, which only commands have then. */
  close: () => void;
}

/** @throws MqError IOERROR when it cannot be made */
export async function openPipeTo(
  starter: Starter | undefined,
  ours: 'reader' | 'writer',
): Promise<PipeToCommand> {
  try {
    if (starter !== undefined) {
      const pipe = await starter.openPipe(ours);
      return { ...pipe, close: () => starter.closePipe(pipe.theirs) };
    }
    const { reader, writer } = await openPipe(ours);
    const [own, theirs] = ours === 'reader' ? [reader, writer] : [writer, reader];
    return { ours: own, theirs, close: () => closeSync(theirs) };
  } catch (cause) {
    throw noFile('a pipe cannot be made', cause);
  }
}
