import type { Range } from './range.ts';

/** A set of ids, kept as ranges: quick where ids are added at the end and removed near the front. */
export class Ranges {
  #ranges: Range[] = [];

  get all(): readonly Range[] {
    return this.#ranges;
  }

  get isEmpty(): boolean {
    return this.#ranges.length === 0;
  }

  add({ first, last }: Range): void {
    const end = this.#ranges.at(-1);
    if (end && end.last + 1 === first) end.last = last;
    else this.#ranges.push({ first, last });
  }

  /** Removes the ids of `range`. @returns those that the set had */
  remove({ first, last }: Range): Range[] {
    const removed: Range[] = [];
    for (let i = 0; i < this.#ranges.length; i++) {
      const range = this.#ranges[i] as Range;
      if (range.last < first || range.first > last) continue;
      const part = { first: Math.max(range.first, first), last: Math.min(range.last, last) };
      const left = [
        { first: range.first, last: part.first - 1 },
        { first: part.last + 1, last: range.last },
      ].filter((each) => each.first <= each.last);
      this.#ranges.splice(i, 1, ...left);
      removed.push(part);
      if (part.first === first && part.last === last) break;
      i += left.length - 1;
    }
    return removed;
  }
}
