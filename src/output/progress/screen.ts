import { writeSync } from 'node:fs';
import { isInForeground } from '../../processes.ts';
import { isLineOpen } from '../terminal.ts';

/** Columns of a terminal that does not tell its size. */
const COLUMNS = 80;

/**
 * The terminal of standard error, for a line that is drawn again and again. Nothing is drawn behind a
 * line that others have begun, nor by a job in the background: the line there is the shell's, or
 * another job's.
 */
export class Screen {
  #isDrawn = false;

  /** Columns to draw in, fewer than there are: the echo of Ctrl-C stands behind the line and must not begin another. */
  get columns(): number {
    return (process.stderr.columns || COLUMNS) - '^C '.length;
  }

  draw(text: string): void {
    if (isLineOpen()) return;
    this.#write(`\r${text}\x1b[K`);
    this.#isDrawn = true;
  }

  clear(): void {
    if (this.#isDrawn) this.#write('\r\x1b[2K');
    this.#isDrawn = false;
  }

  #write(text: string): void {
    try {
      if (isInForeground()) writeSync(2, text);
    } catch {
      // The terminal has gone away, which is no concern of the command.
    }
  }
}
