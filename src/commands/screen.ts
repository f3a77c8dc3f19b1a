import { writeSync } from 'node:fs';
import { Writable } from 'node:stream';
import { isInForeground } from '../processes.ts';

/** What a terminal without a size is taken for. */
const COLUMNS = 80;

/**
 * The terminal of standard error, for a line that is drawn again and again. A job in the background
 * does not draw: the line there is the shell's, or another job's.
 */
export class Screen extends Writable {
  readonly isTTY = true;

  /** Fewer than there are: Ctrl-C is echoed behind what was drawn, and must not begin another line. */
  get columns(): number {
    return (process.stderr.columns || COLUMNS) - '^C '.length;
  }

  clear(): void {
    this.write('\r\x1b[K');
  }

  /** For who goes back to a place that it kept: after that the terminal may have scrolled. */
  keepPlace(): void {
    this.write('\x1b7');
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    try {
      if (isInForeground()) writeSync(2, chunk);
    } catch {
      // The terminal went away; that is not what the command is about.
    }
    done();
  }
}
