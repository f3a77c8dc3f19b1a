/** The outcome of an act on single messages. */
export interface Acted {
  /** The number of messages that it was done to. */
  count: number;
  /** The ids that were named and that it could not act on. */
  missing: readonly number[];
  /** A queue that takes no messages, for which some stay where they are. */
  closed?: string | undefined;
}
