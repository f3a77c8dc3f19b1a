import { Chalk } from 'chalk';
import { hasColour } from './terminal.ts';

export type Cell = string | number | null;

/** Rows under a head, numbers flush right. There is only space between the cells, so that awk can read them. */
export function columns(head: string[], rows: Cell[][]): string {
  const { bold } = colours();
  const widths = head.map((cell, column) =>
    rows.reduce((width, row) => Math.max(width, shown(row[column]).length), cell.length),
  );
  const isNumber = head.map((_, column) => rows.some((row) => typeof row[column] === 'number'));
  const draw = (row: Cell[]) =>
    row
      .map((cell, column) => {
        const width = widths[column] as number;
        return isNumber[column] ? shown(cell).padStart(width) : shown(cell).padEnd(width);
      })
      .join('  ')
      .trimEnd();
  return [bold(draw(head)), ...rows.map(draw), ''].join('\n');
}

/** A name and a value in each row. */
export function pairs(object: Record<string, unknown>): string {
  const { bold } = colours();
  const width = Math.max(...Object.keys(object).map(({ length }) => length));
  return Object.entries(object)
    .map(([name, value]) => `${bold(name.padEnd(width))}  ${shown(value)}\n`)
    .join('');
}

function shown(cell: unknown): string {
  return cell === null || cell === undefined ? '-' : String(cell);
}

function colours() {
  return new Chalk({ level: hasColour(1) ? 1 : 0 });
}
