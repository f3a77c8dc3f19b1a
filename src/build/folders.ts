/**
 * A folder of src/: its imports, whether put and get run it, and whether it is loaded only when it is needed.
 * bundle.ts makes the two parts of the program from this list, and test/imports.test.ts enforces it.
 */
export interface Rules {
  /** Folders that it may import, besides itself and the leaves (the files beside main.ts). */
  imports: readonly string[];
  /** Whether put and get may run something of it. */
  isHot?: true;
  /** Files that are loaded by import() only, out of the way of put and get. */
  lazy?: readonly string[] | 'all';
}

/** The list, by folders, and by files that have rules of their own. */
export const FOLDERS: Readonly<Record<string, Rules>> = {
  'main.ts': { imports: ['cli', 'commands', 'output'], isHot: true },
  commands: { imports: ['cli', 'work', 'output', 'stdio', 'client', 'protocol'], isHot: true },
  'commands/completion.ts': { imports: ['cli', 'output', 'client'], lazy: 'all' },
  'commands/serve.ts': { imports: ['cli', 'stdio', 'client', 'daemon'], lazy: 'all' },
  work: { imports: ['cli', 'output', 'stdio', 'client', 'protocol'], lazy: ['echo.ts'] },
  output: {
    imports: ['cli', 'stdio', 'client', 'protocol'],
    isHot: true,
    lazy: [
      'columns.ts',
      'listing-table.ts',
      'progress/draw.ts',
      'progress/rate.ts',
      'progress/screen.ts',
      'progress/text.ts',
    ],
  },
  cli: { imports: [], isHot: true, lazy: ['complete.ts', 'completion-scripts.ts', 'help.ts'] },
  stdio: { imports: [], isHot: true },
  client: { imports: ['protocol'], isHot: true },
  protocol: { imports: [], isHot: true },
  daemon: { imports: ['protocol', 'queue', 'store'], lazy: 'all' },
  'daemon/daemon.ts': { imports: ['protocol', 'queue', 'store', 'store/sqlite'], lazy: 'all' },
  queue: { imports: ['store'], lazy: 'all' },
  store: { imports: [], lazy: 'all' },
  'store/sqlite': { imports: ['store'], lazy: 'all' },
  build: { imports: ['cli'] },
  'build/front-table.ts': { imports: ['cli', 'commands', 'work', 'output', 'client', 'protocol'] },
};

/** Leaves are hot, because any file may import them. */
const LEAVES: Rules = { imports: [], isHot: true };

/** The key in the list of a file, by its path in src/; '' for a leaf. */
export function entryOf(path: string): string {
  for (let name = path; name !== '.'; name = parentOf(name)) if (FOLDERS[name] !== undefined) return name;
  return '';
}

export function rulesOf(path: string): Rules {
  return FOLDERS[entryOf(path)] ?? LEAVES;
}

/** Whether a file is loaded by import() only. */
export function isLazy(path: string): boolean {
  const { lazy } = rulesOf(path);
  return lazy === 'all' || (lazy?.some((file) => path === `${entryOf(path)}/${file}`) ?? false);
}

function parentOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '.';
}
