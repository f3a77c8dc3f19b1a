import { Chalk } from 'chalk';
import type { EntryMap } from '../client/entries.ts';
import { hasColour } from './terminal.ts';

/** Bytes of a message that are shown where the line has no end. */
const MOST_SHOWN = 1000;

/** Columns of a message, at least, on a narrow terminal. */
const FEWEST_COLUMNS = 10;

/** Bytes of a character, at most. */
const WIDEST = 4;

const HEAD = ['ID', 'STATE', 'AGE', 'DUE', 'ATTEMPT', 'HOLDER', 'MESSAGE'];

/** Columns with numbers, which are flush right. */
const RIGHT = new Set(['ID', 'AGE', 'DUE', 'ATTEMPT', 'HOLDER']);

const GAP = '  ';

const CUT = '...';

/** A character that takes two columns on a terminal. */
const WIDE =
  /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}]/u;

/** Characters that would command the terminal, or hide what stands there. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** The bytes of a message that a table of so many columns can show. */
export function shownBytes(columns: number | undefined): number {
  return columns === undefined ? MOST_SHOWN : columns * WIDEST;
}

/** A table of messages that is printed page by page; the first page decides on the columns. */
export class ListingTable {
  readonly #columns: number | undefined;
  #widths: number[] | undefined;

  /** @param columns the width of the terminal; undefined: there is none */
  constructor(columns: number | undefined) {
    this.#columns = columns;
  }

  /** The lines of a page, behind the head if it is the first. */
  page(entries: readonly EntryMap[]): string {
    const rows = entries.map(rowOf);
    if (this.#widths !== undefined) return rows.map((row) => `${this.#line(row)}\n`).join('');
    this.#widths = HEAD.map((cell, i) =>
      rows.reduce((width, row) => Math.max(width, (row.cells[i] ?? '').length), cell.length),
    );
    const { bold } = new Chalk({ level: hasColour(1) ? 1 : 0 });
    const head = this.#line({ cells: HEAD.slice(0, -1), message: HEAD.at(-1) as string, isCut: false });
    return [bold(head), ...rows.map((row) => this.#line(row)), ''].join('\n');
  }

  #line({ cells, message, isCut }: ListingRow): string {
    const widths = this.#widths as number[];
    const fields = cells.map((cell, i) => {
      const width = widths[i] as number;
      return RIGHT.has(HEAD[i] as string) ? cell.padStart(width) : cell.padEnd(width);
    });
    const before = `${fields.join(GAP)}${GAP}`;
    if (this.#columns === undefined) return (before + message + (isCut ? CUT : '')).trimEnd();
    const room = Math.max(FEWEST_COLUMNS, this.#columns - before.length);
    return (before + fit(message, room, isCut)).trimEnd();
  }
}

interface ListingRow {
  cells: string[];
  message: string;
  /** Whether there is more of the message. */
  isCut: boolean;
}

function rowOf(entry: EntryMap): ListingRow {
  const until = Number(entry.get('due_at') ?? entry.get('lease_until') ?? Number.NaN);
  const body = entry.get('body') as Buffer;
  const cells = [
    String(entry.get('id')),
    String(entry.get('state')),
    span(Date.now() - Number(entry.get('put_at'))),
    Number.isNaN(until) ? '-' : span(until - Date.now()),
    String(entry.get('attempt')),
    String(entry.get('holder_pid') ?? '-'),
  ];
  return { cells, message: shown(body.toString()), isCut: Number(entry.get('size')) > body.length };
}

/** Some time, in the largest unit of which there are two or more. */
function span(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 2 * 86400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86400)}d`;
}

/** The text with hidden characters made visible. */
function shown(text: string): string {
  return text.replace(HIDDEN, (hidden) => {
    const code = hidden.codePointAt(0) as number;
    return NAMED[hidden] ?? (code < 0x100 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`);
  });
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0');
}

/** As much of the text as so many columns hold. */
function fit(text: string, columns: number, isCut: boolean): string {
  let width = 0;
  let fitting = 0;
  for (const character of text) {
    width += /\p{M}/u.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
    if (width > columns) return text.slice(0, fitting) + CUT;
    if (width <= columns - CUT.length) fitting += character.length;
  }
  return isCut ? text.slice(0, fitting) + CUT : text;
}
