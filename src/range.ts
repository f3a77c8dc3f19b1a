/** Ids of messages from `first` to `last`, both included. */
export interface Range {
  first: number;
  last: number;
}

/** The ids of these messages as ranges, from the least to the greatest. */
export function rangesOf(messages: readonly { id: number }[]): Range[] {
  const ranges: Range[] = [];
  for (const id of Float64Array.from(messages, (message) => message.id).sort()) {
    const last = ranges.at(-1);
    if (last && last.last + 1 === id) last.last = id;
    else ranges.push({ first: id, last: id });
  }
  return ranges;
}

/** The number of ids in ranges. */
export function countOf(ranges: readonly Range[]): number {
  return ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
}
