import { Chalk } from 'chalk';
import Table from 'cli-table3';
import { hasColour } from '../terminal.ts';

type Cell = string | number | null;

/** Nothing but the cells and the space between them: awk can read it. */
const NO_LINES = Object.fromEntries(
  [
    'top',
    'top-mid',
    'top-left',
    'top-right',
    'bottom',
    'bottom-mid',
    'bottom-left',
    'bottom-right',
    'left',
    'left-mid',
    'mid',
    'mid-mid',
    'right',
    'right-mid',
  ].map((part) => [part, '']),
);

/** Rows under a head, numbers flush right. */
export function columns(head: string[], rows: Cell[][]): string {
  const { bold } = colours();
  const isNumber = (column: number) =>
    rows.length > 0 && rows.every((row) => typeof row[column] === 'number');
  return draw(
    [head.map((cell) => bold(cell)), ...rows],
    head.map((_, column) => (isNumber(column) ? 'right' : 'left')),
  );
}

/** A name and a value in each row. */
export function pairs(object: Record<string, Cell>): string {
  const { bold } = colours();
  return draw(
    Object.entries(object).map(([name, value]) => [bold(name), value]),
    ['left', 'left'],
  );
}

function draw(rows: Cell[][], aligns: ('left' | 'right')[]): string {
  const table = new Table({
    chars: { ...NO_LINES, middle: '  ' },
    colAligns: aligns,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  });
  table.push(...rows.map((row) => row.map((cell) => cell ?? '-')));
  return `${table.toString().replace(/ +$/gm, '')}\n`;
}

function colours() {
  return new Chalk({ level: hasColour(1) ? 1 : 0 });
}
