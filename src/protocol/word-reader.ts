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

  /** The next word, when it is one of these options; otherwise it stays to be read as something else. */
  option<Option>(options: ReadonlyMap<string, Option>): [name: string, Option] | undefined {
    if (this.#left === 0) return undefined;
    const start = this.#reader.at;
    const word = this.#reader.bulk() as Buffer;
    const name = word.length > LONGEST_OPTION ? '' : word.toString();
    const option = options.get(name);
    if (option === undefined) {
      this.#reader.at = start;
      return undefined;
    }
    this.#left -= 1;
    return [name, option];
  }

  #take(what: string): void {
    if (this.#left === 0) throw new MqError('USAGE', `${what} is missing`);
    this.#left -= 1;
  }

  end(): void {
    if (this.#left > 0) throw new MqError('USAGE', `'${this.next('').slice(0, 40)}' is not understood here`);
  }
}
