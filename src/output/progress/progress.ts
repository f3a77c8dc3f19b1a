/** How far a command has come, for somebody who waits for it. */
export interface Progress {
  unit: 'bytes' | 'messages';
  /** Counts up from 0. */
  done: () => number;
  /** It may change. */
  total: () => number;
  quiet: boolean;
  /** Only where this descriptor is a file: a pipe has an end that tells more. */
  file?: 0 | 1;
}
