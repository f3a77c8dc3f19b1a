/** Ids of messages from `first` to `last`, both included. */
export interface Range {
  first: number;
  last: number;
}
