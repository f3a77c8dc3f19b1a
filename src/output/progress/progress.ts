/** The progress of a command, for somebody who waits for it. */
export interface Progress {
  unit: 'bytes' | 'messages';
  /** Counts up from 0. */
  done: () => number;
  /** The total may change. */
  total: () => number;
  quiet: boolean;
  /** A descriptor that must be a file for progress to be shown: of a pipe, its other end tells more. */
  file?: 0 | 1;
}
