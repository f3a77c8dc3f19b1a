import { MqError } from '../errors.ts';
import { checkName } from '../names.ts';
import type { Packed } from '../packed.ts';
import { parseInteger } from '../settings.ts';
import { Reader } from './reader.ts';

const LONGEST_OPTION = 16;

/** Reads the words of a request, one after the other. */
export class WordReader {
  readonly #reader: Reader;
  #left: number;

  constructor(frame: Buffer) {
    this.#reader = new Reader(frame);
    this.#left = this.#reader.number();
  }

  get more(): boolean {
    return this.#left > 0;
  }

  next(what: string): string {
    this.#take(what);
    return this.#reader.text();
  }

  bytes(what: string): Buffer {
    this.#take(what);
    return this.#reader.bulk() as Buffer;
  }

  /** The words up to the end, at least one. */
  all(what: string): string[] {
    const words: string[] = [];
    while (words.length === 0 || this.more) words.push(this.next(what));
    return words;
  }

  leases(): string[] {
    return this.all('a lease').map((lease) => lease.slice(0, 40));
  }

  name(of = 'a queue'): string {
    return checkName(this.next(`the name of ${of}`));
  }

  integer(what: string, least: number, most?: number): number {
    return parseInteger(this.next(`the number of ${what}`), what, least, most);
  }

  /** The words up to the end, as messages. */
  messages(): Packed {
    const packed = this.#reader.rest(this.#left);
    this.#left = 0;
    return packed;
  }

  /** Skips the words up to the end. */
  skip(): void {
    this.messages();
  }

  /** Reads option words, as long as `options` has the next one, or up to one that answers 'end'. */
  options(options: Record<string, () => 'end' | void>): void {
    while (this.#left > 0) {
      const start = this.#reader.at;
      const word = this.#reader.bulk() as Buffer;
      const name = word.length > LONGEST_OPTION ? '' : word.toString();
      const option = Object.hasOwn(options, name) ? options[name] : undefined;
      if (option === undefined) {
        this.#reader.at = start;
        return;
      }
      this.#left -= 1;
      if (option() === 'end') return;
    }
  }

  #take(what: string): void {
    if (this.#left === 0) throw new MqError('USAGE', `${what} is missing`);
    this.#left -= 1;
  }

  end(): void {
    if (this.#left > 0) throw new MqError('USAGE', `cannot make sense of '${this.next('').slice(0, 40)}'`);
  }
}
