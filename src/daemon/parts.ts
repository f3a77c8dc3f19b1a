import type { Value } from '../protocol/values.ts';

/**
 * An array of answers that is made and written part by part. Other connections have their turn between the parts,
 * and a slow reader is waited for.
 */
export class Parts {
  /** The number of elements. */
  readonly size: number;
  readonly parts: Iterable<Iterable<Value>> | AsyncIterable<Iterable<Value>>;
  /** Values before it, in an array of which it is the last element. */
  readonly before: Value[];

  constructor(
    size: number,
    parts: Iterable<Iterable<Value>> | AsyncIterable<Iterable<Value>>,
    before: Value[] = [],
  ) {
    this.size = size;
    this.parts = parts;
    this.before = before;
  }
}

/** Elements of a part: a few milliseconds of work. */
export const PART = 100;

/** An array of values, in parts where it is too large for one. */
export function inParts<T>(items: readonly T[], toValue: (item: T) => Value): Value[] | Parts {
  if (items.length <= PART) return items.map(toValue);
  return new Parts(items.length, slices(items, toValue));
}

function* slices<T>(items: readonly T[], toValue: (item: T) => Value): Generator<Iterable<Value>> {
  for (let at = 0; at < items.length; at += PART) yield each(items.slice(at, at + PART), toValue);
}

/** Values that are made one by one as they are written, so that each is garbage that costs nothing. */
export function* each<T>(items: Iterable<T>, toValue: (item: T) => Value): Generator<Value> {
  for (const item of items) yield toValue(item);
}
